//! The two products of decoding, of rows as they lie in the cache.
//!
//! `R` queries at a time: each vector that is read from the cache is used `R` times from a register. Rows are read one
//! after the other, as memory is fastest.

use crate::Element;
use crate::element::widen;
use crate::isa::{Isa, Line};

/// Vectors of a key that are taken in one turn of a loop.
const TURN: usize = 4;

/// q_r · key over d_k for `R` queries, lane by lane: the lanes of each are still to be added.
///
/// `q` is `[R][d_k/16]`, 0 beyond d_k; the key has d_k columns. `C` chains for each query, because a multiply-add waits
/// for the one before it; `C` divides [`TURN`].
#[inline(always)]
pub(super) fn dots<I: Isa, E: Element, const R: usize, const C: usize>(
    isa: I,
    q: &[&[f32]; R],
    key: &[E],
) -> [I::V; R] {
    let step = TURN * I::LANES;
    let whole = key.len() / step * step;
    let mut sums = [[isa.splat(0.0); C]; R];
    // Loops instead of `map`: a closure is not compiled for the instruction set.
    let mut parts: [&[f32]; R] = [&[]; R];
    for r in 0..R {
        parts[r] = &q[r][..whole];
    }
    for (at, x) in key[..whole].chunks_exact(step).enumerate() {
        let mut y: [&[f32]; R] = [&[]; R];
        for r in 0..R {
            y[r] = &parts[r][at * step..][..step];
        }
        for c in 0..TURN {
            let x = E::load(isa, &x[c * I::LANES..]);
            for r in 0..R {
                sums[r][c % C] = isa.mul_add(x, isa.load(&y[r][c * I::LANES..]), sums[r][c % C]);
            }
        }
    }
    for at in (whole..key.len()).step_by(Line::LEN) {
        let line = widen(isa, &key[at..]);
        for part in 0..Line::LEN / I::LANES {
            let x = isa.load(line.part(part, I::LANES));
            for r in 0..R {
                let y = isa.load(&q[r][at + part * I::LANES..]);
                sums[r][0] = isa.mul_add(x, y, sums[r][0]);
            }
        }
    }
    let mut out = [isa.splat(0.0); R];
    for r in 0..R {
        let mut sum = sums[r][0];
        for c in 1..C {
            sum = isa.add(sum, sums[r][c]);
        }
        out[r] = sum;
    }
    out
}

/// Adds weight · value of a key to the sums `o`, `[R][d_v/16]`; the value has d_v columns.
#[inline(always)]
pub(super) fn add_value<I: Isa, E: Element, const R: usize>(
    isa: I,
    weights: &[f32; R],
    value: &[E],
    o: &mut [&mut [Line]; R],
) {
    let (whole, rest) = value.as_chunks::<{ Line::LEN }>();
    let mut w = [isa.splat(0.0); R];
    for r in 0..R {
        assert!(o[r].len() >= whole.len());
        w[r] = isa.splat(weights[r]);
    }
    for (t, line) in whole.iter().enumerate() {
        for part in 0..Line::LEN / I::LANES {
            let x = E::load(isa, &line[part * I::LANES..]);
            for r in 0..R {
                let sum = o[r][t].part_mut(part, I::LANES);
                let acc = isa.mul_add(w[r], x, isa.load(sum));
                isa.store(acc, sum);
            }
        }
    }
    if !rest.is_empty() {
        let line = widen(isa, rest);
        for r in 0..R {
            for (sum, x) in o[r][whole.len()].0.iter_mut().zip(line.0) {
                *sum += weights[r] * x;
            }
        }
    }
}
