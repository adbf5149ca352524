//! The two products of decoding, of rows as they lie in the cache.
//!
//! `R` queries times `J` keys at a time: each vector that is read from the cache is used `R` times from a register, and
//! J·R sums, or J·R weights, stay in registers.

use crate::Element;
use crate::element::widen;
use crate::isa::{Isa, Line};

/// Adds q_r · k_j over d_k for `J` keys, lane by lane, to `sums[r][j]`.
///
/// `q` is `[R][d_k/16]`, 0 beyond d_k; each key has d_k columns.
#[inline(always)]
pub(super) fn dots<I: Isa, E: Element, const R: usize, const J: usize>(
    isa: I,
    q: [&[Line]; R],
    keys: [&[E]; J],
    sums: &mut [[I::V; 16]; R],
    first: usize,
) {
    let whole = keys[0].len() / Line::LEN;
    let q = q.map(|row| &row[..whole + usize::from(!keys[0].len().is_multiple_of(Line::LEN))]);
    let lines = keys.map(|key| &key.as_chunks::<{ Line::LEN }>().0[..whole]);
    let mut acc = [[isa.splat(0.0); R]; J];
    for t in 0..whole {
        for part in 0..Line::LEN / I::LANES {
            let mut x = [isa.splat(0.0); J];
            for j in 0..J {
                x[j] = E::load(isa, &lines[j][t][part * I::LANES..]);
            }
            for r in 0..R {
                let y = isa.load(q[r][t].part(part, I::LANES));
                for j in 0..J {
                    acc[j][r] = isa.mul_add(x[j], y, acc[j][r]);
                }
            }
        }
    }
    if whole < q[0].len() {
        for j in 0..J {
            let line = widen(isa, &keys[j][whole * Line::LEN..]);
            for part in 0..Line::LEN / I::LANES {
                let x = isa.load(line.part(part, I::LANES));
                for r in 0..R {
                    let y = isa.load(q[r][whole].part(part, I::LANES));
                    acc[j][r] = isa.mul_add(x, y, acc[j][r]);
                }
            }
        }
    }
    for j in 0..J {
        for r in 0..R {
            sums[r][first + j] = acc[j][r];
        }
    }
}

/// Adds weight · value of `J` keys to the sums `o`, `[R][d_v/16]`; each value has d_v columns.
#[inline(always)]
pub(super) fn add_values<I: Isa, E: Element, const R: usize, const J: usize>(
    isa: I,
    weights: [[f32; J]; R],
    values: [&[E]; J],
    o: [&mut [Line]; R],
) {
    let whole = values[0].len() / Line::LEN;
    let lines = values.map(|value| &value.as_chunks::<{ Line::LEN }>().0[..whole]);
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
