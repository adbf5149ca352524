//! Few queries against a long cache: what generating a token needs.
//!
//! ```
//! use lookback_attention::Scoring;
//! use lookback_attention::decode::{Cache, Workspace, decode_into};
//! use lookback_attention::Mask;
//! use ndarray::{Array3, Array4, s};
//!
//! // Room for 100 positions, 40 of them filled: B 1, H 4, H_kv 2, d_k = d_v = 8.
//! let numbers = |h, n| Array4::from_shape_fn((1, h, n, 8), |(_, h, i, c)| ((h * 5 + i * 7 + c * 3) % 11) as f32 / 11.0);
//! let (q, k, v) = (numbers(4, 1), numbers(2, 100), numbers(2, 100));
//! let cache = Cache::Contiguous {
//!     k: k.slice(s![.., .., ..40, ..]),
//!     v: v.slice(s![.., .., ..40, ..]),
//! };
//! // The one query is the last of the 40 tokens.
//! let scoring = Scoring::default().with_mask(Mask::causal_at_end(1, 40));
//!
//! let mut workspace = Workspace::new(); // kept from token to token
//! let (mut o, mut lse) = (Array4::zeros((1, 4, 1, 8)), Array3::zeros((1, 4, 1)));
//! decode_into(q.view(), &cache, &scoring, &mut workspace, o.view_mut(), lse.view_mut())?;
//! assert!(o.iter().all(|&x| (0.0..1.0).contains(&x)));
//! # Ok::<(), lookback_attention::Error>(())
//! ```
//!
//! # How it works
//!
//! With one query a head, each key and value is used once for each query head of its group: the time is that of reading the
//! cache. So keys and values are not packed, as the [forward pass](crate::forward) does, but read where they lie, once.
//!
//! * **Split along the keys** (Dao, Haziza, Massa and Sizov, "Flash-Decoding for long-context inference", 2023): each chunk of
//!   256 keys of a key/value head is a task that leaves a reference, a sum of weights and a weighted sum of values for each
//!   query. The tasks are cut by the shape alone and put together in their order, in f64 where it is scalars: the same bits
//!   on any number of threads.
//! * **A group's heads share one reading.** The N queries of all query heads of a group are the rows of a task. They go
//!   through a block of keys together, up to four in registers, the others from the nearest caches.
//! * **In the order of memory.** Keys and values are taken one row after the other: scores are sums along the rows of K, whose
//!   partial sums of sixteen keys are added while they are transposed; a value is added to the weighted sums of all queries
//!   before the next is read. Nothing is asked for ahead: the processor does that by itself, and best if left alone.
//! * **The online softmax** is the forward pass's, with its lagging reference, looked at once a block: 32 keys for one query, 256 for
//!   several.
//! * **No allocation** in the steady state: partial results live in a [`Workspace`], and halves of the work are handed over by
//!   `rayon::join`. (A call from outside the pool enters it through rayon's queue, which takes a block now and then: begin in
//!   the pool to avoid that.) A cache of less than 256 KiB is read by the calling thread alone.
//!
//! # The ladder
//!
//! Bytes of the cache over the time, in % of the bandwidth at which the same threads read memory in the same run; one query,
//! d = 128: medians of three runs of `RAYON_NUM_THREADS=2 lookback bench attention --instruction-set avx2`, two threads of an
//! AMD EPYC with Zen 4 cores (a virtual machine; 33 GB/s at the time), the versions in turn; runs differ by 5 points.
//!
//! | version | M | 32 heads, f32 | f16 | 32/8 heads, f32 | f16 |
//! | --- | --- | --- | --- | --- | --- |
//! | values two or four at a time, rows asked for 8 KB ahead | 4,096 | 60 | 73 | 52 | 50 |
//! | | 32,768 | 65 | 74 | 56 | 47 |
//! | one row after the other, nothing asked for | 4,096 | 89 | 80 | 52 | 48 |
//! | | 32,768 | 100 | 88 | 60 | 50 |
//! | several queries: blocks of 256 keys instead of 32, rows unrolled | 4,096 | 85 | 69 | 74 | 55 |
//! | | 32,768 | 93 | 87 | 86 | 59 |
//!
//! * **The order of memory is what counts.** A loop written for that question alone, which does nothing but the products, reads
//!   f32 row after row as fast as a plain sum over memory does; two rows side by side, 512 bytes apart, reached 45 to 65% of that,
//!   four 40 to 55%. Asking for rows ahead mended half of it, and took a tenth from rows that are read in order.
//! * **Where memory is faster, less of it is reached**: with 60 GB/s on the same machine the first two columns were 65 to 80%. One
//!   query takes 16 ns for a key and its value, four take 37 to 42 (f32 and f16, from the second-level cache, the call's own cost
//!   included); memory of 60 GB/s gives 1,024 bytes to each of two cores in 34 ns, 512 in 17. So **four queries on f16 are bound
//!   by arithmetic** there, of which the multiply-adds alone take 15 ns.
//! * **Arithmetic and reading overlap in part only** where several queries wait for a row: at 35 GB/s, four queries on f16 take
//!   49 ns a key, where 29 would do to read it and 37 to compute with it. Less arithmetic hardly helps, as the second trial below
//!   shows.
//!
//! Tried and not kept:
//!
//! * Several queries on rows that are first copied, in order, to a small array, eight rows ahead of the arithmetic, which then
//!   takes two keys or eight values at a time: no faster from the second-level cache, and 10 to 35% slower from memory.
//! * Four queries on two keys, or two values, at a time: f16 27 instead of 37 ns a key from the second-level cache, but from memory
//!   60 instead of 58% (32/8 heads, M 4,096), and f32 69 instead of 79 to 82%. The same with the values asked for while the keys
//!   are read and the next keys while the values are, a block ahead: 53 to 59% and 65%.
//! * One query with rows unrolled: 15% less arithmetic from the second-level cache, but 80 instead of 86% from memory.
//! * Chunks of 512 or 1,024 keys: within the noise, and fewer tasks.
//!
//! f16 and bf16 are widened as they are read, exactly; all arithmetic is in f32. More than about eight queries a head are
//! faster with the forward pass, which uses each key for more of them.

#![expect(
    clippy::needless_range_loop,
    reason = "loops over a tile have constant bounds, so that they unroll"
)]

mod block;
mod cache;
mod call;
mod chunk;
pub(crate) mod driver;
mod exp_weights;
mod merge;
mod products;
mod rows;
#[cfg(test)]
mod tests;
mod workspace;

pub use cache::Cache;
pub use workspace::Workspace;

use lookback_simd::InstructionSet;
use ndarray::{Array3, Array4, ArrayView4, ArrayViewMut3, ArrayViewMut4};

use crate::forward::{Output, same_output};
use crate::shape::room;
use crate::{Element, Error, Scoring};

/// Attention of q \[B, H, N, d_k\] over a cache, into o \[B, H, N, d_v\] and lse \[B, H, N\], as
/// [`forward_into`](crate::forward::forward_into) gives them.
///
/// # Errors
/// As [`forward_into`](crate::forward::forward_into); also [`Error::RangeOutOfBounds`] if a page that is needed does not
/// exist, and [`Error::TooLarge`] if a table covers more positions than can be counted.
pub fn decode_into<E: Element>(
    q: ArrayView4<f32>,
    cache: &Cache<E>,
    scoring: &Scoring,
    workspace: &mut Workspace,
    o: ArrayViewMut4<f32>,
    lse: ArrayViewMut3<f32>,
) -> Result<(), Error> {
    decode_into_on(InstructionSet::best(), q, cache, scoring, workspace, o, lse)
}

/// [`decode_into`] on a chosen instruction set: for tests and measurements.
///
/// # Errors
/// As [`decode_into`].
pub fn decode_into_on<E: Element>(
    set: InstructionSet,
    q: ArrayView4<f32>,
    cache: &Cache<E>,
    scoring: &Scoring,
    workspace: &mut Workspace,
    o: ArrayViewMut4<f32>,
    lse: ArrayViewMut3<f32>,
) -> Result<(), Error> {
    let shape = cache.validate(q.raw_dim(), scoring)?;
    same_output(&shape, o.dim(), lse.dim())?;
    if !cache.rows_are_slices() {
        let wide = |x: &ArrayView4<E>| {
            let values = x.iter().map(|x| x.to_f32()).collect();
            Array4::from_shape_vec(x.raw_dim(), values).expect("as many as the shape says")
        };
        let (Cache::Contiguous { k, v } | Cache::Paged { k, v, .. }) = cache;
        room("the copied keys", k.shape())?;
        room("the copied values", v.shape())?;
        let (k, v) = (wide(k), wide(v));
        let (k, v) = (k.view(), v.view());
        let cache = match *cache {
            Cache::Contiguous { .. } => Cache::Contiguous { k, v },
            Cache::Paged { table, .. } => Cache::Paged { k, v, table },
        };
        return decode_into_on(set, q, &cache, scoring, workspace, o, lse);
    }
    let call = driver::Decode {
        shape,
        q,
        cache: *cache,
        scoring,
        workspace,
        o,
        lse,
    };
    E::decode(set, call)
}

/// [`decode_into`] new arrays, with a workspace of its own.
///
/// # Errors
/// As [`decode_into`].
pub fn decode<E: Element>(
    q: ArrayView4<f32>,
    cache: &Cache<E>,
    scoring: &Scoring,
) -> Result<Output, Error> {
    decode_on(InstructionSet::best(), q, cache, scoring)
}

/// [`decode`] on a chosen instruction set: for tests and measurements.
///
/// # Errors
/// As [`decode_into`].
pub fn decode_on<E: Element>(
    set: InstructionSet,
    q: ArrayView4<f32>,
    cache: &Cache<E>,
    scoring: &Scoring,
) -> Result<Output, Error> {
    let shape = cache.validate(q.raw_dim(), scoring)?;
    room("o", &[shape.b, shape.h, shape.n, shape.d_v])?;
    let mut o = Array4::zeros((shape.b, shape.h, shape.n, shape.d_v));
    let mut lse = Array3::zeros((shape.b, shape.h, shape.n));
    let (workspace, views) = (&mut Workspace::new(), (o.view_mut(), lse.view_mut()));
    decode_into_on(set, q, cache, scoring, workspace, views.0, views.1)?;
    Ok(Output { o, lse })
}
