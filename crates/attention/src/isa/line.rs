//! The unit of packed memory: one cache line.

use super::contract;

/// Sixteen f32, aligned to the cache line that they fill, so that no vector load straddles two lines.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [f32; 16]);

// What `flat` relies on: a line is its values and nothing else.
const _: () = assert!(
    size_of::<Line>() == Line::LEN * size_of::<f32>() && align_of::<Line>() == size_of::<Line>()
);

impl Line {
    /// f32 a line.
    pub(crate) const LEN: usize = 16;
    /// All zero.
    pub(crate) const ZERO: Line = Line([0.0; 16]);

    /// The values of consecutive lines, sixteen times as many.
    #[inline(always)]
    pub(crate) fn flat(lines: &[Line]) -> &[f32] {
        // SAFETY: a line is sixteen f32 and, as asserted above, nothing else; the values live as long as the lines are
        // borrowed.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * Line::LEN) }
    }

    /// As [`flat`](Line::flat), to write.
    #[inline(always)]
    pub(crate) fn flat_mut(lines: &mut [Line]) -> &mut [f32] {
        // SAFETY: as above, and the values are borrowed as exclusively as the lines are.
        unsafe {
            std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * Line::LEN)
        }
    }

    /// The `part`-th vector of `lanes` values.
    #[inline(always)]
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn part(&self, part: usize, lanes: usize) -> &[f32] {
        contract::part(part, lanes);
        &self.0[part * lanes..][..lanes]
    }

    /// The `part`-th vector of `lanes` values, to write.
    #[inline(always)]
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn part_mut(&mut self, part: usize, lanes: usize) -> &mut [f32] {
        contract::part(part, lanes);
        &mut self.0[part * lanes..][..lanes]
    }
}

/// How many lines hold `len` values.
#[inline(always)]
pub(crate) const fn lines_for(len: usize) -> usize {
    len.div_ceil(Line::LEN)
}
