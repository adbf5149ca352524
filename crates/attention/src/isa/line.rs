//! The unit of packed memory: one cache line.

/// Sixteen f32, aligned to the cache line that they fill, so that no vector load straddles two lines.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [f32; 16]);

impl Line {
    /// f32 a line.
    pub(crate) const LEN: usize = 16;
    /// All zero.
    pub(crate) const ZERO: Line = Line([0.0; 16]);

    /// The `part`-th vector of `lanes` values.
    #[inline(always)]
    pub(crate) fn part(&self, part: usize, lanes: usize) -> &[f32] {
        &self.0[part * lanes..][..lanes]
    }

    /// The `part`-th vector of `lanes` values, to write.
    #[inline(always)]
    pub(crate) fn part_mut(&mut self, part: usize, lanes: usize) -> &mut [f32] {
        &mut self.0[part * lanes..][..lanes]
    }
}

/// How many lines hold `len` values.
#[inline(always)]
pub(crate) const fn lines_for(len: usize) -> usize {
    len.div_ceil(Line::LEN)
}
