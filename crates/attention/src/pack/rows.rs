//! Rows of a strided matrix as slices.

use std::borrow::Cow;

use ndarray::ArrayView2;

/// A matrix whose rows are contiguous: the view itself if they are, else a copy of it.
pub(crate) enum Rows<'a, E: Clone> {
    /// Row after row of so many columns without gaps.
    Whole(Cow<'a, [E]>, usize),
    /// Rows with gaps between them.
    Apart(ArrayView2<'a, E>),
}

impl<'a, E: Copy> Rows<'a, E> {
    /// Copies only if the columns of `matrix` are not adjacent in memory.
    pub(crate) fn new(matrix: ArrayView2<'a, E>) -> Rows<'a, E> {
        match matrix.to_slice() {
            Some(all) => Rows::Whole(all.into(), matrix.ncols()),
            None if matrix.strides()[1] == 1 => Rows::Apart(matrix),
            None => Rows::Whole(matrix.iter().copied().collect(), matrix.ncols()),
        }
    }

    /// Row `i`.
    #[inline(always)]
    pub(crate) fn row(&self, i: usize) -> &[E] {
        match self {
            Rows::Whole(all, columns) => &all[i * columns..][..*columns],
            Rows::Apart(matrix) => {
                let row = matrix.row(i).to_slice();
                row.expect("a row is contiguous where its columns are adjacent")
            }
        }
    }
}
