//! What the unit tests have in common.

use ndarray::{Array, Dimension, ShapeBuilder};

/// Values without a pattern in [−1, 1], other ones for each `salt`.
pub(crate) fn uniform<D: Dimension>(dim: impl ShapeBuilder<Dim = D>, salt: u32) -> Array<f32, D> {
    let mut state = salt;
    Array::from_shape_simple_fn(dim, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    })
}
