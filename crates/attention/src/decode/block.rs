//! Consecutive keys of a head and their values.

use std::ops::Range;

use super::cache::Head;
use crate::Element;

/// Keys between two looks at the softmax.
pub(super) const BLOCK: usize = 32;

/// Consecutive keys of one head and their values, as they lie in the cache.
pub(super) struct Block<'a, E> {
    pub(super) keys: Range<usize>,
    /// Beyond the last key its first is repeated.
    pub(super) k: [&'a [E]; BLOCK],
    pub(super) v: [&'a [E]; BLOCK],
}

impl<'a, E: Element> Block<'a, E> {
    /// No rows.
    pub(super) const EMPTY: Block<'static, E> = Block {
        keys: 0..0,
        k: [&[]; BLOCK],
        v: [&[]; BLOCK],
    };

    /// Becomes the block of these keys, in place, because it is large.
    #[inline(always)]
    pub(super) fn load(&mut self, keys: Range<usize>, [k, v]: [Head<'a, E>; 2]) {
        for (head, rows) in [(k, &mut self.k), (v, &mut self.v)] {
            head.rows(keys.start, &mut rows[..keys.len()]);
            let first = rows[0];
            rows[keys.len()..].fill(first);
        }
        self.keys = keys;
    }

    /// Where the block would end if it were full.
    pub(super) fn full_end(&self) -> usize {
        self.keys.start.saturating_add(BLOCK)
    }

    /// Whether these keys are all of a full block.
    pub(super) fn is_within(&self, visible: &Range<usize>) -> bool {
        visible.start <= self.keys.start && self.full_end() <= visible.end.min(self.keys.end)
    }
}
