//! From products to weights: the softmax of one query, a block of keys at a time.

use std::ops::Range;

use lookback_simd::math::exp2_bounded;
use lookback_simd::{Isa, Line, Widen};

use super::block::{Block, MOST};
use super::call::{Call, HeadAt};
use super::workspace::ChunkSoftmax;
use crate::Error;
use crate::score::{HEADROOM, HeadScoring, TileAt, apply_options_to_row, hide_in_row};

/// A number for each key of a block: first its score, then its weight.
pub(super) type Scores = [Line; MOST / Line::LEN];

/// Turns the products of row `row` of the group with a block's keys into weights, and adds these to the row's sum; `o` are
/// its sums of values. Gives the keys that its query sees.
#[inline(always)]
pub(super) fn exp_weights<I: Isa, E: Widen, const B: usize>(
    isa: I,
    call: &Call<E>,
    (head, row): (&HeadAt, usize),
    block: &Block<E, B>,
    (scores, (state, o)): (&mut Scores, (&mut ChunkSoftmax, &mut [Line])),
) -> Result<Range<usize>, Error> {
    let &HeadAt { b, kv, keys, .. } = head;
    let n = call.shape.n;
    let query = row % n;
    let visible = call.scoring.mask.visible(query, keys);
    let at = TileAt {
        query,
        key: block.keys.start,
    };
    let h = kv * call.shape.group() + row / n;
    let options = match head.has_options {
        true => Some(HeadScoring::new(call.scoring, &call.shape, b, h)?),
        false => None,
    };
    // What stands beyond the block's last key is not the key of that position.
    let shown = visible.start..visible.end.min(block.keys.end);
    let scores = &mut scores[..block.lines()];
    exp_weights_of_row(isa, scores, state, o, (at, options.as_ref(), shown));
    Ok(visible)
}

/// Turns a row's products with the keys of a block into weights, and adds these to the row's sum.
#[inline(always)]
fn exp_weights_of_row<I: Isa>(
    isa: I,
    scores: &mut [Line],
    state: &mut ChunkSoftmax,
    o: &mut [Line],
    (at, head, visible): (TileAt, Option<&HeadScoring>, Range<usize>),
) {
    let mut top = isa.splat(f32::MIN);
    for (l, line) in scores.iter_mut().enumerate() {
        for part in 0..Line::LEN / I::LANES {
            let offset = l * Line::LEN + part * I::LANES;
            let at = TileAt {
                query: at.query,
                key: at.key + offset,
            };
            let mut row = [isa.load(line.part(part, I::LANES))];
            if let Some(head) = head {
                apply_options_to_row(isa, &mut row, at, head);
            }
            if at.key < visible.start || at.key + I::LANES > visible.end {
                hide_in_row(isa, &mut row, at.key, visible.clone());
            }
            // The order of `max` passes over NaN, whose weights are NaN whatever the reference.
            top = isa.max(row[0], top);
            isa.store(row[0], line.part_mut(part, I::LANES));
        }
    }
    let reference = isa.splat(state.reference);
    if isa.any(isa.less(isa.splat(HEADROOM), isa.sub(top, reference))) {
        let top = isa.largest(top);
        if state.reference > f32::MIN {
            let factor = isa.splat((state.reference - top).exp2());
            for line in o.iter_mut().chain([&mut state.sums]) {
                for part in 0..Line::LEN / I::LANES {
                    let x = isa.load(line.part(part, I::LANES));
                    isa.store(isa.mul(x, factor), line.part_mut(part, I::LANES));
                }
            }
        }
        state.reference = top;
    }
    let reference = isa.splat(state.reference);
    let mut sum = isa.load(&state.sums.0);
    for line in scores.iter_mut() {
        for part in 0..Line::LEN / I::LANES {
            let score = isa.load(line.part(part, I::LANES));
            let weight = exp2_bounded(isa, isa.sub(score, reference));
            sum = isa.add(sum, weight);
            isa.store(weight, line.part_mut(part, I::LANES));
        }
    }
    isa.store(sum, &mut state.sums.0);
}
