//! A walk cut into the blocks that threads take.

use lookback_simd::InstructionSet;

use super::area::{QueryBlock, Walk};
use super::scores::height;
use crate::shape::Shape;

/// Queries of a block, about: whole strips, enough of them that reading a block of keys into the second-level
/// cache is a small part of the work on it, few enough that the observers' states stay there too.
pub(super) const BLOCK_ROWS: usize = 96;

/// All queries in blocks of about `rows`, cut at fixed places, in the order in which they are taken and merged; with their part
/// of `lse`, `[B][H][N]`, or with none where that is empty.
///
/// Head after head, because its keys are then in a shared cache; within a head the last queries first, which
/// see the most keys under a causal mask, so that the blocks at the very end are small.
pub(super) fn query_blocks<'a>(
    set: InstructionSet,
    walk: &'a Walk,
    lse: &'a [f32],
    rows: usize,
) -> Vec<QueryBlock<'a>> {
    let Shape { b, h, n, .. } = walk.shape;
    let height = rows.next_multiple_of(height(set));
    let mut blocks = Vec::with_capacity(b * h * n.div_ceil(height));
    for at in 0..b * h {
        let of_head = lse.get(at * n..).unwrap_or_default();
        for start in (0..n).step_by(height).rev() {
            let rows = start..(start + height).min(n);
            blocks.push(QueryBlock {
                set,
                walk,
                batch: at / h,
                head: at % h,
                lse: of_head.get(rows.clone()).unwrap_or_default(),
                rows,
            });
        }
    }
    blocks
}
