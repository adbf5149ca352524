//! The keys that the queries of a strip see.

use std::ops::Range;

use crate::Mask;

/// The visible keys of up to sixteen consecutive queries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    starts: [usize; 16],
    ends: [usize; 16],
    height: usize,
}

impl Bounds {
    /// The bounds of the queries `first`, …, `first + height − 1`, `height` ≤ 16; those beyond `queries` see what
    /// the last one sees. `keys` is how many keys are real.
    pub(crate) fn new(
        mask: &Mask,
        first: usize,
        height: usize,
        queries: usize,
        keys: usize,
    ) -> Bounds {
        let mut bounds = Bounds {
            starts: [0; 16],
            ends: [0; 16],
            height,
        };
        for r in 0..height {
            let visible = mask.visible((first + r).min(queries - 1), keys);
            (bounds.starts[r], bounds.ends[r]) = (visible.start, visible.end);
        }
        bounds
    }

    /// Every key that some query sees lies in this range. (Both ends of the rows' ranges never decrease.)
    #[inline(always)]
    pub(crate) fn seen(&self) -> Range<usize> {
        self.starts[0]..self.ends[self.height - 1]
    }

    /// Whether every query sees all of `keys`.
    #[inline(always)]
    pub(crate) fn all_see(&self, keys: Range<usize>) -> bool {
        self.starts[self.height - 1] <= keys.start && keys.end <= self.ends[0]
    }

    /// The visible keys of row `r` of the strip.
    #[inline(always)]
    pub(crate) fn row(&self, r: usize) -> Range<usize> {
        self.starts[r]..self.ends[r]
    }
}
