//! Fused gradients: dQ, dK, dV and those of the bias and the sinks, without the N×M weights.
//!
//! [`backward`] takes what the forward pass took and gave ([`Inputs`]) and gives the gradients of a loss
//! ([`Gradients`]). The equations stand at [`reference::backward`](crate::reference::backward), which every result is
//! tested against, as that is against finite differences.
//!
//! ```
//! use lookback_attention::Scoring;
//! use lookback_attention::backward::{Inputs, Options, backward};
//! use lookback_attention::forward::forward;
//! use ndarray::Array4;
//!
//! // Any numbers do: B 1, H 2, H_kv 1, N = M = 5, d_k 4, d_v 3.
//! let numbers = |h, d, salt: usize| {
//!     Array4::from_shape_fn((1, h, 5, d), |(_, h, i, c)| ((h * 5 + i * 7 + c * 3 + salt) % 11) as f32 / 11.0)
//! };
//! let (q, k, v) = (numbers(2, 4, 0), numbers(1, 4, 1), numbers(1, 3, 2));
//! let scoring = Scoring::default();
//! let out = forward(q.view(), k.view(), v.view(), &scoring)?;
//!
//! // The loss is the sum of O: its gradient by O is 1.
//! let d_o = Array4::ones(out.o.dim());
//! let inputs = Inputs {
//!     q: q.view(),
//!     k: k.view(),
//!     v: v.view(),
//!     o: out.o.view(),
//!     lse: out.lse.view(),
//!     d_o: d_o.view(),
//! };
//! let gradients = backward(&inputs, &Options::default(), &scoring)?;
//! assert_eq!(gradients.dk.dim(), k.dim());
//! // Each of the 2·5 rows of weights sums to 1, and so do the values' gradients over the keys.
//! assert!((gradients.dv.sum() - 3.0 * 10.0).abs() < 1e-4);
//! # Ok::<(), lookback_attention::Error>(())
//! ```
//!
//! # How it works
//!
//! The weights are computed again from the log-sum-exp, tile by tile, as in FlashAttention-2 (Dao, 2023, section 3.1.2),
//! here with keys in the outer loop:
//!
//! ```text
//! for each task (a head and a part of its keys), on any thread:
//!     for each block of 96 keys of the part:                pack K by rows and columns, V by rows; dK = dV = 0
//!         for each 96 queries that see any of them:
//!             for each 6 keys × 16 queries:                 P  = exp2(K·Qᵀ · scale · log₂e − LSE · log₂e)   (1)
//!                                                           dT = P ∘ (V·dOᵀ − D)                            (2)
//!             dV += P·dO                                                                                    (3)
//!             dK += dT·Q                                                                                    (4)
//!             dQᵀ += Kᵀ·dT                                                                                  (5)
//!         write dV and scale · dK of the block
//!     add scale · dQ of the part, when all parts before it have been
//! ```
//!
//! * **Five products in one pass**, and not seven in two (one that owns rows of dQ and one that owns rows of dK and
//!   dV, each computing (1) and (2)). The work that counts is 2.5 times the forward pass's, which is five products; seven
//!   would cap the result at 5/7 = 71% of peak. The price is that dQ gathers from all keys.
//! * **Tiles are keys by queries.** Then P and dT are written once and read in place by all three products that follow:
//!   a strip of keys is the left operand of (3) and (4), a panel of queries the right operand of (5). With the
//!   queries in the rows, (3) and (4) would need channels in the rows, of which a strip of 6 or 14 wastes some.
//! * **Masks by the tile.** Each query's visible keys are one range, whose ends never decrease: strips and panels without
//!   a visible pair are skipped in all five products, and only tiles on a border are masked, by selection and after
//!   the arithmetic, so that nothing hidden has a part in anything, whatever it holds. Where an operand is not finite, a
//!   weight of 0 does not hide it; the last three products then go pair by pair over what is visible.
//! * **The same bits on any number of threads.** Parts are cut by the shape alone. Each key's sums run over the
//!   queries in their order, in one task. Parts add to dQ in their order, and so do the query heads of a group to dK and dV;
//!   whoever comes too early leaves a copy, of which there are about as many as threads. A thread stays with the head whose queries
//!   it has packed and helps with others' at the end.
//! * **Memory** is O(N + M): for each thread q and dO packed by rows and by columns, one part's dQ, and
//!   what a block needs (about 250 KB at d = 64, within a second-level cache of 512 KB).
//! * **The bias's gradient** is a pass of its own, (1) and (2) again: where a bias is shared by heads or batch
//!   elements, its owner adds them up one after another and holds nothing but the result.
//!
//! # The ladder
//!
//! Useful operations (2.5 times the forward pass's) in % of the multiply-add peak measured in the same run, causal, backward
//! alone (its part of the time of `forward_backward` in `lookback bench attention --instruction-set avx2 --threads 1`): medians,
//! AVX2 kernels on one core of an AMD EPYC with Zen 5 cores (136 GFLOP/s) shared with other work; runs differ by some percent.
//!
//! | version | H 12, d 64, N 1,024 | N 2,048 | H 32, d 128, N 2,048 |
//! | --- | --- | --- | --- |
//! | five products, tiles of keys by queries; each part packs its queries again, one dQ a part | 69.6 | 77.1 | 82.6 |
//! | one reading packs rows and columns; fewer parts, the first writes dQ itself | 83.4 | 87.6 | 87.4 |
//! | threads stay with a head, parts add to dQ in turn | 85.2 | 87.6 | 90.5 |
//!
//! On two threads the last makes 84.4, 87.7 and 87.9, and 79.5 at N 512, 89.9 at 4,096, 90.8 at 8,192, 87.4 with 9/3 heads
//! at N 2,048 and 64.6 with batch 8 at N 256; together with the forward pass 81.2, 84.7, 83.1; 76.0, 86.4, 88.2, 85.4, 59.6.
//! AVX-512 against its own peak (550 GFLOP/s on two threads): 73.9, 77.5 and 78.8, with the forward pass 72.2, 75.6
//! and 72.2.
//!
//! Where the time goes, of one thread at N 4,096: (1) and (2) with the exponentials 40.7%, which makes them 89% of peak; (3)
//! 18.6% and (4) 18.7%, 97% of peak; (5) 19.2%, 94%, its strips of 6 channels covering 66 of 64; packing 1.7%, writing and adding 0.8%.
//! At N 1,024 packing takes 5.7%, writing and adding 1.9%, and the tiles on the diagonal 4% that are not counted as useful.
//!
//! Tried and not kept:
//!
//! * Blocks of 96, 144 and 192 keys by 96, 128 and 192 queries: within 2% of each other. The smallest stay, for smaller caches.
//! * Four parts a head, each packing its queries and holding a dQ until the end: for 9/3 heads at N 2,048 on two threads
//!   74% where two parts made 84%.
//! * Packing in the order of the packed lines instead of the rows in memory: 8.2 against 6.9% of the time (AVX-512, N 1,024).
//! * Transposing by scalar loads on AVX-512: backward 54% of peak at N 1,024, in registers 65%.
//!
//! Gradients in memory fresh from the system cost a page fault every 4 KB: at N 1,024 on two threads 69 instead of 84% of peak
//! where the allocator gives every array back to the system. [`backward_into`] writes to arrays that are kept.
//!
//! Accuracy, unit-variance inputs, causal, N 1,500, d 64: ‖found − exact‖ / ‖exact‖ (Frobenius) 4·10⁻⁷ for dQ, 9·10⁻⁷ for
//! dK and 10⁻⁶ for dV, on every instruction set.

#![expect(
    clippy::needless_range_loop,
    reason = "loops over a tile have constant bounds, so that they unroll"
)]

mod bias;
mod call;
mod columns;
pub(crate) mod driver;
pub(crate) mod head;
mod keys;
mod ordered;
mod pack;
mod partition;
mod products;
mod queries;
mod queue;
mod task;
#[cfg(test)]
mod tests;
mod tiles;
mod visible;
mod write;

pub use call::{Gradients, GradientsMut, Inputs, Options};

use lookback_simd::InstructionSet;

use crate::{Error, Scoring};

/// The gradients of a loss with respect to everything that [`forward`](crate::forward::forward()) took.
///
/// # Errors
/// Shapes that do not fit, zero sizes, meaningless options, and gradients that there is no memory for, each as its own
/// [`Error`] variant.
pub fn backward(inputs: &Inputs, options: &Options, scoring: &Scoring) -> Result<Gradients, Error> {
    backward_on(InstructionSet::best(), inputs, options, scoring)
}

/// [`backward`] on a chosen instruction set: for tests and measurements.
///
/// # Errors
/// As [`backward`].
pub fn backward_on(
    set: InstructionSet,
    inputs: &Inputs,
    options: &Options,
    scoring: &Scoring,
) -> Result<Gradients, Error> {
    let shape = inputs.validate(options, scoring)?;
    let mut gradients = Gradients::zeros(&shape, options, scoring)?;
    backward_into_on(set, inputs, options, scoring, gradients.view_mut())?;
    Ok(gradients)
}

/// [`backward`] into given arrays of any strides, whose values are overwritten.
///
/// # Errors
/// As [`backward`]; also [`Error::ShapeMismatch`] if a gradient has another shape than its operand, and
/// [`Error::NothingToDerive`] if a gradient is asked for of an option that is not there.
pub fn backward_into(
    inputs: &Inputs,
    options: &Options,
    scoring: &Scoring,
    gradients: GradientsMut,
) -> Result<(), Error> {
    backward_into_on(InstructionSet::best(), inputs, options, scoring, gradients)
}

/// [`backward_into`] on a chosen instruction set: for tests and measurements.
///
/// # Errors
/// As [`backward_into`].
pub fn backward_into_on(
    set: InstructionSet,
    inputs: &Inputs,
    options: &Options,
    scoring: &Scoring,
    gradients: GradientsMut,
) -> Result<(), Error> {
    let shape = inputs.validate(options, scoring)?;
    gradients.validate(&shape, scoring)?;
    let heads = inputs.heads(&shape, options, scoring)?;
    let (d_bias, gradients) = gradients.by_head();
    set.run(driver::Backward {
        h: shape.h,
        h_kv: shape.h_kv,
        heads: &heads,
        sharing: heads.len(),
        scale: scoring.scale_for(shape.d_k)?,
        gradients,
    });
    if let Some(d_bias) = d_bias {
        set.run(bias::Derive {
            shape,
            heads: &heads,
            d_bias,
        });
    }
    Ok(())
}
