//! A validated call, as its tasks see it.

use lookback_simd::{Line, Widen};

use super::cache::Cache;
use crate::Scoring;
use crate::shape::Shape;

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

impl<E: Widen> Call<'_, '_, '_, E> {
    /// Queries that read the same keys: N of each head of the group, head after head.
    pub(super) fn rows(&self) -> usize {
        self.shape.group() * self.shape.n
    }

    /// Chunks of a head.
    pub(super) fn chunks(&self) -> usize {
        self.shape.m.div_ceil(CHUNK)
    }

    /// Whether a score needs more than its product.
    pub(super) fn has_options(&self) -> bool {
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
