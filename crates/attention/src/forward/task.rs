//! The unit of work: some queries of one head.

use ndarray::{ArrayView2, ArrayViewMut1, ArrayViewMut2};

use crate::score::HeadScoring;

/// Queries `first`, `first + 1`, … of one head, as many as `o` has rows.
pub(super) struct Task<'a> {
    /// \[N, d_k\]: all queries of the head.
    pub(super) q: ArrayView2<'a, f32>,
    pub(super) first: usize,
    pub(super) scoring: &'a HeadScoring<'a>,
    /// \[rows, d_v\]
    pub(super) o: ArrayViewMut2<'a, f32>,
    /// \[rows\]
    pub(super) lse: ArrayViewMut1<'a, f32>,
}
