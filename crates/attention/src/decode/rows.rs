//! The queries of a group against a block of keys.

use lookback_simd::{Isa, Line, Widen, lines_for};

use super::block::{Block, MOST};
use super::call::{Call, HeadAt};
use super::exp_weights::{Scores, exp_weights};
use super::products::{add_value, dots};
use super::workspace::ChunkSoftmax;
use crate::Error;

/// Every row of a group against one block, as many rows at a time as registers hold.
#[inline(always)]
pub(super) fn attend_all<I: Isa, E: Widen>(
    isa: I,
    call: &Call<E>,
    head: &HeadAt,
    block: &Block<E, MOST>,
    (states, o): (&mut [ChunkSoftmax], &mut [Line]),
) -> Result<(), Error> {
    let wide = match (call.shape.d_k, call.shape.d_v) {
        (64, 64) => 4,
        (128, 128) => 8,
        _ => 0,
    };
    let mut row = 0;
    while row < states.len() {
        let at = (head, row);
        row += match (states.len() - row, wide) {
            (1, _) => attend_rows::<I, E, MOST, 1, 4, 0>(isa, call, at, block, (states, o))?,
            (2, _) => attend_rows::<I, E, MOST, 2, 4, 0>(isa, call, at, block, (states, o))?,
            (3, 4) => attend_rows::<I, E, MOST, 3, 2, 4>(isa, call, at, block, (states, o))?,
            (3, 8) => attend_rows::<I, E, MOST, 3, 2, 8>(isa, call, at, block, (states, o))?,
            (3, _) => attend_rows::<I, E, MOST, 3, 2, 0>(isa, call, at, block, (states, o))?,
            (_, 4) => attend_rows::<I, E, MOST, 4, 2, 4>(isa, call, at, block, (states, o))?,
            (_, 8) => attend_rows::<I, E, MOST, 4, 2, 8>(isa, call, at, block, (states, o))?,
            (_, _) => attend_rows::<I, E, MOST, 4, 2, 0>(isa, call, at, block, (states, o))?,
        };
    }
    Ok(())
}

/// `R` rows from `row` on, in `C` chains each; rows of keys and values of `L` lines, or any where that is 0. Gives `R`.
#[inline(always)]
pub(super) fn attend_rows<
    I: Isa,
    E: Widen,
    const B: usize,
    const R: usize,
    const C: usize,
    const L: usize,
>(
    isa: I,
    call: &Call<E>,
    (head, row): (&HeadAt, usize),
    block: &Block<E, B>,
    (states, o): (&mut [ChunkSoftmax], &mut [Line]),
) -> Result<usize, Error> {
    let (q_lines, o_lines) = (lines_for(call.shape.d_k), lines_for(call.shape.d_v));
    let q = &head.q[row * q_lines..];
    let q: [&[Line]; R] = std::array::from_fn(|r| &q[r * q_lines..][..q_lines]);
    let mut weights = if L > 0 {
        let mut queries = [[Line::ZERO; L]; R];
        for r in 0..R {
            queries[r].copy_from_slice(q[r]);
        }
        products::<I, E, B, R, C, L>(isa, &queries.each_ref().map(|q| &q[..]), block)
    } else {
        products::<I, E, B, R, C, L>(isa, &q, block)
    };

    let mut rows = o[row * o_lines..].chunks_exact_mut(o_lines);
    let mut o: [&mut [Line]; R] = std::array::from_fn(|_| rows.next().expect("a row each"));
    let mut all_visible = true;
    for r in 0..R {
        let of_row = (&mut states[row + r], &mut *o[r]);
        let visible = exp_weights(isa, call, (head, row + r), block, (&mut weights[r], of_row))?;
        all_visible &= block.is_within(&visible);
    }
    if all_visible && L > 0 {
        // Where the sums stand is then known to the compiler.
        let mut sums = [[Line::ZERO; L]; R];
        for r in 0..R {
            sums[r].copy_from_slice(o[r]);
        }
        add_values::<I, E, B, R, L>(
            isa,
            &weights,
            block,
            &mut sums.each_mut().map(|o| &mut o[..]),
        );
        for r in 0..R {
            o[r].copy_from_slice(&sums[r]);
        }
    } else if all_visible {
        add_values::<I, E, B, R, 0>(isa, &weights, block, &mut o);
    } else {
        // Each row over its visible keys alone: a weight of 0 does not hide a value that is not finite.
        for r in 0..R {
            let query = (row + r) % call.shape.n;
            let visible = call.scoring.mask.visible(query, head.keys);
            for key in block.keys.clone().filter(|key| visible.contains(key)) {
                let j = key - block.keys.start;
                let weight = [weights[r][j / Line::LEN].0[j % Line::LEN]];
                add_value::<I, E, 1, 0>(isa, &weight, block.v[j], &mut [&mut *o[r]]);
            }
        }
    }
    Ok(R)
}

/// Adds weight · value of every key of a block to the sums `o`.
#[inline(always)]
fn add_values<I: Isa, E: Widen, const B: usize, const R: usize, const L: usize>(
    isa: I,
    weights: &[Scores; R],
    block: &Block<E, B>,
    o: &mut [&mut [Line]; R],
) {
    for j in 0..block.keys.len() {
        let mut w = [0.0; R];
        for r in 0..R {
            w[r] = weights[r][j / Line::LEN].0[j % Line::LEN];
        }
        add_value::<I, E, R, L>(isa, &w, block.v[j], o);
    }
}

/// q_r · k_j of every key of a block.
#[inline(always)]
fn products<I: Isa, E: Widen, const B: usize, const R: usize, const C: usize, const L: usize>(
    isa: I,
    q: &[&[Line]; R],
    block: &Block<E, B>,
) -> [Scores; R] {
    let mut scores = [[Line::ZERO; MOST / Line::LEN]; R];
    let mut sums = [[isa.splat(0.0); Line::LEN]; R];
    for line in 0..block.lines() {
        for j in 0..Line::LEN {
            let dots = dots::<I, E, R, C, L>(isa, q, block.k[line * Line::LEN + j]);
            for r in 0..R {
                sums[r][j] = dots[r];
            }
        }
        for r in 0..R {
            scores[r][line] = isa.sum_each(&sums[r]);
        }
    }
    scores
}
