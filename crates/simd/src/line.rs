//! The unit of packed memory: one cache line.

/// Sixteen f32, aligned to the cache line that they fill, so that no vector load straddles two lines.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub struct Line(pub [f32; 16]);

// What `flat` relies on: a line is its values and nothing else.
const _: () = assert!(
    size_of::<Line>() == Line::LEN * size_of::<f32>() && align_of::<Line>() == size_of::<Line>()
);

impl Line {
    /// f32 a line.
    pub const LEN: usize = 16;
    /// All zero.
    pub const ZERO: Line = Line([0.0; 16]);

    /// The values of consecutive lines, sixteen times as many.
    #[inline(always)]
    pub fn flat(lines: &[Line]) -> &[f32] {
        // SAFETY: a line is sixteen f32 and, as asserted above, nothing else; the values live as long as the lines are
        // borrowed.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * Line::LEN) }
    }

    /// As [`flat`](Line::flat), to write.
    #[inline(always)]
    pub fn flat_mut(lines: &mut [Line]) -> &mut [f32] {
        // SAFETY: as above, and the values are borrowed as exclusively as the lines are.
        unsafe {
            std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * Line::LEN)
        }
    }

    /// The `part`-th vector of `lanes` values.
    #[inline(always)]
    #[cfg_attr(debug_assertions, track_caller)]
    pub fn part(&self, part: usize, lanes: usize) -> &[f32] {
        check_part(part, lanes);
        &self.0[part * lanes..][..lanes]
    }

    /// The `part`-th vector of `lanes` values, to write.
    #[inline(always)]
    #[cfg_attr(debug_assertions, track_caller)]
    pub fn part_mut(&mut self, part: usize, lanes: usize) -> &mut [f32] {
        check_part(part, lanes);
        &mut self.0[part * lanes..][..lanes]
    }
}

/// How many lines hold `len` values.
#[inline(always)]
pub const fn lines_for(len: usize) -> usize {
    len.div_ceil(Line::LEN)
}

/// Checks that a line has a `part`-th vector of `lanes` values.
#[inline(always)]
#[cfg_attr(debug_assertions, track_caller)]
fn check_part(part: usize, lanes: usize) {
    debug_assert!(
        lanes > 0 && Line::LEN.is_multiple_of(lanes) && part < Line::LEN / lanes,
        "part of a line: part {part} of {lanes} lanes is not within the {} of a line",
        Line::LEN
    );
}
