//! The two products of decoding, of rows as they lie in the cache.
//!
//! `R` queries at a time: each vector that is read from the cache is used `R` times from a register. Keys are read one
//! after the other, as memory is fastest; values `J` at a time, so that sums are loaded and stored once for J of them.

use crate::Element;
use crate::element::widen;
use crate::isa::{Isa, Line};

/// Vectors of a row that are taken in one turn of a loop.
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

/// Adds weight · value of `J` keys to the sums `o`, `[R][d_v/16]`; each value has d_v columns.
#[inline(always)]
pub(super) fn add_values<I: Isa, E: Element, const R: usize, const J: usize>(
    isa: I,
    weights: [[f32; J]; R],
    values: [&[E]; J],
    o: &mut [&mut [Line]; R],
) {
    let whole = values[0].len() / Line::LEN;
    let mut lines: [&[[E; Line::LEN]]; J] = [&[]; J];
    for j in 0..J {
        lines[j] = &values[j].as_chunks::<{ Line::LEN }>().0[..whole];
    }
    let mut w = [[isa.splat(0.0); J]; R];
    for r in 0..R {
        assert!(o[r].len() >= whole);
        for j in 0..J {
            w[r][j] = isa.splat(weights[r][j]);
        }
    }
    for t in 0..whole {
        for part in 0..Line::LEN / I::LANES {
            let mut x = [isa.splat(0.0); J];
            for j in 0..J {
                x[j] = E::load(isa, &lines[j][t][part * I::LANES..]);
            }
            for r in 0..R {
                let sum = o[r][t].part_mut(part, I::LANES);
                let mut acc = isa.load(sum);
                for j in 0..J {
                    acc = isa.mul_add(w[r][j], x[j], acc);
                }
                isa.store(acc, sum);
            }
        }
    }
    if values[0].len() > whole * Line::LEN {
        for j in 0..J {
            let line = widen(isa, &values[j][whole * Line::LEN..]);
            for r in 0..R {
                for (sum, x) in o[r][whole].0.iter_mut().zip(line.0) {
                    *sum += weights[r][j] * x;
                }
            }
        }
    }
}
