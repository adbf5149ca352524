//! Operands that are allocations of their own, for Miri, which knows where those end.

use ndarray::{ArrayView, ArrayViewMut, Dimension};

/// H, H_kv, N, M, d_k, d_v.
pub(crate) const SHAPES: &[[usize; 6]] = &[[1, 1, 1, 1, 1, 1], [2, 1, 3, 17, 3, 2]];

/// An allocation's beginning and its end are the same to Miri.
pub(crate) const ENDS: &[bool] = &[false];

/// Values in an allocation that is as long as they are.
pub(crate) struct Guarded<T>(Box<[T]>);

impl<T: Copy> Guarded<T> {
    /// `len` values; see [`ENDS`].
    pub(crate) fn new(len: usize, _low: bool, value: impl FnMut() -> T) -> Guarded<T> {
        Guarded(std::iter::repeat_with(value).take(len).collect())
    }

    pub(crate) fn view<D: Dimension>(&self, dim: D) -> ArrayView<'_, T, D> {
        ArrayView::from_shape(dim, &self.0).expect("as many as the shape says")
    }

    pub(crate) fn view_mut<D: Dimension>(&mut self, dim: D) -> ArrayViewMut<'_, T, D> {
        ArrayViewMut::from_shape(dim, &mut self.0).expect("as many as the shape says")
    }
}
