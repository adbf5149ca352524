//! One chunk of the keys of one head, for all queries that read it.

use super::block::{Block, FEW, MOST};
use super::cache::{Cache, Head};
use super::workspace::State;
use crate::isa::{Isa, Line, lines_for};
use crate::shape::Shape;
use crate::{Element, Error, Scoring};

/// Keys of a chunk: what one task reads and one partial softmax covers.
pub(super) const CHUNK: usize = 256;

/// A validated call, its queries packed.
pub(super) struct Call<'a, 'c, 's, E> {
    pub(super) shape: Shape,
    pub(super) cache: Cache<'c, E>,
    pub(super) scoring: &'a Scoring<'s>,
    /// `[B][H_kv][rows][d_k/16]`
    pub(super) q: &'a [Line],
}

impl<E: Element> Call<'_, '_, '_, E> {
    /// Queries that read the same keys: N of each head of the group, head after head.
    pub(super) fn rows(&self) -> usize {
        self.shape.group() * self.shape.n
    }

    /// Chunks of a head.
    pub(super) fn chunks(&self) -> usize {
        self.shape.m.div_ceil(CHUNK)
    }

    /// Attends to chunk `task` mod chunks of key/value head `task` / chunks, counted over the batch.
    ///
    /// `states` is `[rows]`, `o` is `[rows][d_v/16]`; what they held is overwritten, and `o` only where there are keys.
    #[inline(always)]
    pub(super) fn attend<I: Isa>(
        &self,
        isa: I,
        task: usize,
        states: &mut [State],
        o: &mut [Line],
    ) -> Result<(), Error> {
        let Shape { h_kv, n, m, .. } = self.shape;
        let (head, chunk) = (task / self.chunks(), task % self.chunks());
        let (b, kv) = (head / h_kv, head % h_kv);
        let keys = self.scoring.key_length(b, m);
        states.fill(State::EMPTY);
        let mask = &self.scoring.mask;
        let first = mask.visible(0, keys).start.max(chunk * CHUNK);
        let end = mask.visible(n - 1, keys).end.min((chunk + 1) * CHUNK);
        if first >= end {
            return Ok(());
        }
        o.fill(Line::ZERO);
        let [k, v] = self.cache.head(b, kv);
        let [k, v] = [k, v].map(Head::flatten);
        let head = HeadAt {
            b,
            kv,
            keys,
            q: &self.q[(b * h_kv + kv) * self.rows() * lines_for(self.shape.d_k)..],
            has_options: self.has_options(),
        };
        if self.rows() == 1 {
            let mut block: Block<E, FEW> = Block::EMPTY;
            for start in (first..end).step_by(FEW) {
                block.load(start..end.min(start.saturating_add(FEW)), [k, v]);
                self.attend_rows::<I, FEW, 1, 4, 0>(isa, &block, (&head, 0), states, o)?;
            }
        } else {
            let mut block: Block<E, MOST> = Block::EMPTY;
            for start in (first..end).step_by(MOST) {
                block.load(start..end.min(start.saturating_add(MOST)), [k, v]);
                self.attend_all(isa, &block, &head, states, o)?;
            }
        }
        Ok(())
    }

    /// Whether a score needs more than its product.
    fn has_options(&self) -> bool {
        let Scoring {
            soft_cap,
            alibi,
            bias,
            ..
        } = self.scoring;
        soft_cap.is_some() || alibi.is_some() || bias.is_some()
    }
}

/// A key/value head of one batch element.
pub(super) struct HeadAt<'a> {
    pub(super) b: usize,
    pub(super) kv: usize,
    /// Keys of the batch element that are real.
    pub(super) keys: usize,
    /// The group's queries, `[rows][d_k/16]`, and what comes after them.
    pub(super) q: &'a [Line],
    /// Whether a score needs more than its product.
    pub(super) has_options: bool,
}
