//! Ranges of queries and keys.

use std::ops::Range;

/// What two ranges have in common; empty at the first one's start if that is nothing.
pub(super) fn intersect(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    let (start, end) = (a.start.max(b.start), a.end.min(b.end));
    if start < end {
        start..end
    } else {
        a.start..a.start
    }
}

/// The least range that holds both.
pub(super) fn cover(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => b,
        (_, true) => a,
        _ => a.start.min(b.start)..a.end.max(b.end),
    }
}
