//! One chunk of the keys of one head, for all queries that read it.

use lookback_simd::{Isa, Line, Widen, lines_for};

use super::block::{Block, FEW, MOST};
use super::cache::HeadRows;
use super::call::{CHUNK, Call, HeadAt};
use super::rows::{attend_all, attend_rows};
use super::workspace::ChunkSoftmax;
use crate::Error;
use crate::shape::Shape;

/// Attends to chunk `task` mod chunks of key/value head `task` / chunks, counted over the batch.
///
/// `states` is `[rows]`, `o` is `[rows][d_v/16]`; what they held is overwritten, and `o` only where there are keys.
#[inline(always)]
pub(super) fn attend<I: Isa, E: Widen>(
    isa: I,
    call: &Call<E>,
    task: usize,
    states: &mut [ChunkSoftmax],
    o: &mut [Line],
) -> Result<(), Error> {
    let Shape { h_kv, n, m, .. } = call.shape;
    let (head, chunk) = (task / call.chunks(), task % call.chunks());
    let (b, kv) = (head / h_kv, head % h_kv);
    let keys = call.scoring.key_length(b, m);
    states.fill(ChunkSoftmax::EMPTY);
    let mask = &call.scoring.mask;
    let first = mask.visible(0, keys).start.max(chunk * CHUNK);
    let end = mask.visible(n - 1, keys).end.min((chunk + 1) * CHUNK);
    if first >= end {
        return Ok(());
    }
    o.fill(Line::ZERO);
    let [k, v] = call.cache.head(b, kv);
    let [k, v] = [k, v].map(HeadRows::flatten);
    let head = HeadAt {
        b,
        kv,
        keys,
        q: &call.q[(b * h_kv + kv) * call.rows() * lines_for(call.shape.d_k)..],
        has_options: call.has_options(),
    };
    if call.rows() == 1 {
        let mut block: Block<E, FEW> = Block::EMPTY;
        for start in (first..end).step_by(FEW) {
            block.load(start..end.min(start.saturating_add(FEW)), [k, v]);
            attend_rows::<I, E, FEW, 1, 4, 0>(isa, call, (&head, 0), &block, (states, o))?;
        }
    } else {
        let mut block: Block<E, MOST> = Block::EMPTY;
        for start in (first..end).step_by(MOST) {
            block.load(start..end.min(start.saturating_add(MOST)), [k, v]);
            attend_all(isa, call, &head, &block, (states, o))?;
        }
    }
    Ok(())
}
