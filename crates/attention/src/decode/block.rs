//! Consecutive keys of a head and their values.

use std::ops::Range;

use lookback_simd::{Line, Widen};

use super::cache::HeadRows;

/// Keys of a block at most: keys between two looks at the softmax, where several queries read them. Their arithmetic takes
/// longer than reading does, and memory comes the faster the longer it is read in its own order.
pub(super) const MOST: usize = 256;

/// Keys of a block that one query reads. Its arithmetic goes on while memory is read, of which two streams are a little
/// faster than one.
pub(super) const FEW: usize = 32;

/// At most `B` consecutive keys of one head and their values, as they lie in the cache.
pub(super) struct Block<'a, E, const B: usize> {
    pub(super) keys: Range<usize>,
    /// Beyond the last key, its first up to a whole line.
    pub(super) k: [&'a [E]; B],
    pub(super) v: [&'a [E]; B],
}

impl<'a, E: Widen, const B: usize> Block<'a, E, B> {
    /// No rows.
    pub(super) const EMPTY: Block<'static, E, B> = Block {
        keys: 0..0,
        k: [&[]; B],
        v: [&[]; B],
    };

    /// Becomes the block of these keys, at most `B`, in place, because it is large.
    #[inline(always)]
    pub(super) fn load(&mut self, keys: Range<usize>, [k, v]: [HeadRows<'a, E>; 2]) {
        let len = keys.len();
        k.rows(keys.start, &mut self.k[..len]);
        v.rows(keys.start, &mut self.v[..len]);
        self.keys = keys;
        let (first, whole) = (self.k[0], self.lines() * Line::LEN);
        self.k[len..whole].fill(first);
    }

    /// Lines that hold a number for each key.
    pub(super) fn lines(&self) -> usize {
        self.keys.len().div_ceil(Line::LEN)
    }

    /// Whether all keys are visible.
    pub(super) fn is_within(&self, visible: &Range<usize>) -> bool {
        visible.start <= self.keys.start && self.keys.end <= visible.end
    }
}
