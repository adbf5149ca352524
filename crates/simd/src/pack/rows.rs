//! The rows of a matrix of any strides as slices.

use std::borrow::Cow;

use ndarray::ArrayView2;

/// A matrix whose rows are contiguous: the view itself if they are, else a copy of it.
pub enum ContiguousRows<'a, E: Clone> {
    /// Row after row of so many columns without gaps.
    Whole(Cow<'a, [E]>, usize),
    /// Rows with gaps between them.
    Apart(ArrayView2<'a, E>),
}

impl<'a, E: Copy> ContiguousRows<'a, E> {
    /// Copies only if the columns of `matrix` are not adjacent in memory.
    pub fn new(matrix: ArrayView2<'a, E>) -> ContiguousRows<'a, E> {
        match matrix.to_slice() {
            Some(all) => ContiguousRows::Whole(all.into(), matrix.ncols()),
            None if matrix.strides()[1] == 1 => ContiguousRows::Apart(matrix),
            None => ContiguousRows::Whole(matrix.iter().copied().collect(), matrix.ncols()),
        }
    }

    /// Row `i`.
    #[inline(always)]
    pub fn row(&self, i: usize) -> &[E] {
        match self {
            ContiguousRows::Whole(all, columns) => &all[i * columns..][..*columns],
            ContiguousRows::Apart(matrix) => {
                let row = matrix.row(i).to_slice();
                row.expect("a row is contiguous where its columns are adjacent")
            }
        }
    }
}
