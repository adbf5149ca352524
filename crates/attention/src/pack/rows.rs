//! Rows of a strided matrix as slices.

use ndarray::{ArrayView2, CowArray, Ix2};

/// A matrix whose rows are contiguous: the view itself if they are, else a copy of it.
pub(crate) struct Rows<'a, E>(CowArray<'a, E, Ix2>);

impl<'a, E: Copy> Rows<'a, E> {
    /// Copies only if the columns of `matrix` are not adjacent in memory.
    pub(crate) fn new(matrix: ArrayView2<'a, E>) -> Rows<'a, E> {
        let adjacent = matrix.ncols() == 1 || matrix.strides()[1] == 1;
        if adjacent {
            Rows(matrix.into())
        } else {
            Rows(matrix.as_standard_layout().into_owned().into())
        }
    }

    /// Row `i`.
    pub(crate) fn row(&self, i: usize) -> &[E] {
        let columns = self.0.ncols();
        self.0.row(i).to_slice().map_or_else(
            // A single column whose stride is not 1 is still one value.
            || std::slice::from_ref(&self.0[[i, columns - 1]]),
            |row| row,
        )
    }
}
