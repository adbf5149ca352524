//! Packed batches: sequences of different lengths laid one after the other, without padding.
//!
//! A batch in an array \[B, H, N, d\] is as long as its longest sequence, and what the shorter ones lack is padding. Here the
//! tokens of all sequences stand one after the other along N (and M), and cumulative lengths say where each sequence begins
//! ([`Sequences`]), as in FlashAttention's interface for variable lengths (Dao et al., "FlashAttention", 2022; Dao,
//! "FlashAttention-2", 2023: `flash_attn_varlen_func`, `cu_seqlens`). Each sequence attends within itself and to nothing else.
//!
//! ```
//! use lookback_attention::Scoring;
//! use lookback_attention::forward;
//! use lookback_attention::varlen::{self, Inputs, Sequences};
//! use ndarray::{Array3, Axis, s};
//!
//! // Three sequences of 5, 1 and 3 tokens: N = M = 9, H 4, H_kv 2, d_k 8, d_v 6.
//! let sequences = Sequences::new(&[0, 5, 6, 9])?;
//! // Tokens first, [N, H, d], as a projection leaves them; the views are [H, N, d], by their strides.
//! let numbers = |h, d| Array3::from_shape_fn((9, h, d), |(i, h, c)| ((h * 5 + i * 7 + c * 3) % 11) as f32 / 11.0);
//! let (q, k, v) = (numbers(4, 8), numbers(2, 8), numbers(2, 6));
//! let [q, k, v] = [&q, &k, &v].map(|x| x.view().permuted_axes([1, 0, 2]));
//! let scoring = Scoring::default(); // causal, in each sequence
//! let out = varlen::forward(q, k, v, &sequences, &scoring)?;
//! assert_eq!((out.o.dim(), out.lse.dim()), ((4, 9, 6), (4, 9)));
//!
//! // The last sequence is what it is alone, to the bit.
//! let last = |x| ndarray::ArrayView3::slice_move(x, s![.., 6..9, ..]).insert_axis(Axis(0));
//! let alone = forward::forward(last(q), last(k), last(v), &scoring)?;
//! assert_eq!(last(out.o.view()), alone.o);
//!
//! // The loss is the sum of O: its gradient by O is 1.
//! let d_o = Array3::ones(out.o.dim());
//! let inputs = Inputs { q, k, v, o: out.o.view(), lse: out.lse.view(), d_o: d_o.view(), d_lse: None };
//! let gradients = varlen::backward(&inputs, &sequences, &scoring)?;
//! // Each of the 4·9 rows of weights sums to 1, and so do the values' gradients over the keys.
//! assert!((gradients.dv.sum() - 6.0 * 36.0).abs() < 1e-3);
//! # Ok::<(), lookback_attention::Error>(())
//! ```
//!
//! | | shape | |
//! | --- | --- | --- |
//! | q, o, lse | \[H, N, d_k\], \[H, N, d_v\], \[H, N\] | N: the queries of all sequences |
//! | k, v | \[H_kv, M, d_k\], \[H_kv, M, d_v\] | M: the keys of all sequences; f32, or for [`forward()`] and [`observe()`] also f16 and bf16 |
//! | cumulative lengths | \[B + 1\] | B: how many sequences there are, which may be none |
//!
//! [`Scoring`](crate::Scoring) means what it means for each sequence alone: mask, window and ALiBi's distance count positions
//! within the sequence ([`Sequences`] says from where), and scale, soft cap, slopes and sinks are the same for all. A bias, whose
//! N×M differ from one sequence to the next, and key lengths, which padding needs, are rejected ([`Error::NotForSequences`]).
//!
//! Sequences may be empty. One without keys leaves its queries with O = 0 and LSE = −∞ (or the sink's logit); one without
//! queries gives its keys and values gradients of 0.
//!
//! Whatever else takes a single sequence is given the slices of its arrays and [`Sequence::scoring`]: of the last one above,
//! for example, [`weights`](crate::weights::weights()) takes `q.slice(s![h, 6..9, ..])`.
//!
//! # How it works
//!
//! The kernels are those of [`forward`](crate::forward) and [`backward`](crate::backward), to which a batch is a list of
//! sequences, equally long or not: their tasks, a head and some of its queries or keys, are cut for each sequence as if it were
//! alone, and given out for all sequences together, so that no thread waits at the end of a sequence. Keys and values are
//! packed sequence by sequence. So
//!
//! * each sequence's results have the same bits as those of a call for it alone, whoever its neighbours are (the sinks'
//!   gradients are added up in the order of the sequences), on any number of threads;
//! * work and memory are those of the tokens that there are. A panel is sixteen keys wide and a strip 6 or 14 queries high, and
//!   that is all that is filled up.
//!
//! [`observe()`] walks the sequences one after the other.
//!
//! # What it saves
//!
//! Time of the same sequences padded into one batch ([`Scoring::key_lengths`](crate::Scoring::key_lengths)), and of one call
//! for each after the other, as a multiple of the packed batch's, the three in turn: medians of
//! `RAYON_NUM_THREADS=2 cargo run --release -p lookback-attention --example varlen_speed -- avx2 2 3`, two threads of an AMD EPYC
//! (Zen 5, a virtual machine), causal, f32, 12 heads, d = 64; quartiles are within 5%. Filling and emptying the padded batch
//! is not counted.
//!
//! | sequences | tokens, padded | forward, ms | padded | one by one | backward, ms | padded | one by one |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | 8 of 256 | 2,048, 2,048 | 4.8 | 1.00 | 1.02 | 11.9 | 1.00 | 1.02 |
//! | 32 of 16 to 1,024 | 8,047, 32,768 | 35 | 2.6 | 0.98 | 85 | 2.7 | 1.00 |
//! | 128 of 8 to 128 | 5,562, 16,384 | 7.6 | 2.1 | 1.05 | 18.8 | 2.1 | 1.04 |
//! | 512 of 16 | 8,192, 8,192 | 11.4 | 1.03 | 1.08 | 25.9 | 1.02 | 1.09 |
//!
//! With AVX-512 padding costs 2.6 and 2.5, and 2.1 and 2.0 times as much, and one call for each between 0.97 and 1.06. So what is
//! saved is padding, in time and in memory. Calls one by one cost little on two threads: the fork and the wait at the end of each
//! take 2 to 5 µs, which show where a sequence takes some tens.
//!
//! [`Error::NotForSequences`]: crate::Error::NotForSequences

mod backward;
mod call;
mod forward;
mod observe;
mod sequences;

pub use backward::{
    Gradients, GradientsMut, Inputs, backward, backward_into, backward_into_on, backward_on,
};
pub use forward::{Output, forward, forward_into, forward_into_on, forward_on};
pub use observe::{observe, observe_on};
pub use sequences::{Sequence, Sequences, cu_seqlens};
