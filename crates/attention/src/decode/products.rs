//! The two products of decoding, of rows as they lie in the cache.
//!
//! `R` queries at a time: each vector that is read from the cache is used `R` times from a register. Rows are read one
//! after the other, as memory is fastest. `L` is how many lines a row has, for loops over it to unroll, or 0 for any width.

use lookback_simd::{Isa, Line, Widen, widen};

/// Lines of a key that are taken in one turn of a loop; divides `L`.
const TURN: usize = 2;

/// q_r · key over d_k for `R` queries, lane by lane: the lanes of each are still to be added.
///
/// `q` is `[R][d_k/16]`, 0 beyond d_k; the key has d_k columns. `C` chains for each query, because a multiply-add waits for
/// the one before it.
#[inline(always)]
pub(super) fn dots<I: Isa, E: Widen, const R: usize, const C: usize, const L: usize>(
    isa: I,
    q: &[&[Line]; R],
    key: &[E],
) -> [I::V; R] {
    let parts = Line::LEN / I::LANES;
    let lines = key.as_chunks::<{ Line::LEN }>().0;
    let whole = if L > 0 { L } else { lines.len() / TURN * TURN };
    assert!(lines.len() >= whole);
    for r in 0..R {
        assert!(q[r].len() >= whole);
    }
    let mut sums = [[isa.splat(0.0); C]; R];
    for turn in (0..whole).step_by(TURN) {
        for at in turn..turn + TURN {
            for part in 0..parts {
                let x = E::load(isa, &lines[at][part * I::LANES..]);
                let c = ((at - turn) * parts + part) % C;
                for r in 0..R {
                    let y = isa.load(q[r][at].part(part, I::LANES));
                    sums[r][c] = isa.mul_add(x, y, sums[r][c]);
                }
            }
        }
    }
    if L == 0 {
        for (at, rest) in key.chunks(Line::LEN).enumerate().skip(whole) {
            let line = widen(isa, rest);
            for part in 0..parts {
                let x = isa.load(line.part(part, I::LANES));
                for r in 0..R {
                    let y = isa.load(q[r][at].part(part, I::LANES));
                    sums[r][0] = isa.mul_add(x, y, sums[r][0]);
                }
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
pub(super) fn add_value<I: Isa, E: Widen, const R: usize, const L: usize>(
    isa: I,
    weights: &[f32; R],
    value: &[E],
    o: &mut [&mut [Line]; R],
) {
    let (whole, rest) = value.as_chunks::<{ Line::LEN }>();
    let lines = if L > 0 { L } else { whole.len() };
    assert!(whole.len() >= lines);
    let mut w = [isa.splat(0.0); R];
    for r in 0..R {
        assert!(o[r].len() >= lines);
        w[r] = isa.splat(weights[r]);
    }
    for at in 0..lines {
        for part in 0..Line::LEN / I::LANES {
            let x = E::load(isa, &whole[at][part * I::LANES..]);
            for r in 0..R {
                let sum = o[r][at].part_mut(part, I::LANES);
                let acc = isa.mul_add(w[r], x, isa.load(sum));
                isa.store(acc, sum);
            }
        }
    }
    if L == 0 && !rest.is_empty() {
        let line = widen(isa, rest);
        for r in 0..R {
            for (sum, x) in o[r][lines].0.iter_mut().zip(line.0) {
                *sum += weights[r] * x;
            }
        }
    }
}
