//! One layer's queries, keys and values.

use ndarray::{Array3, ArrayView3};

/// Those of the new tokens.
pub(super) struct Heads {
    /// \[H, N, d_k\]
    pub(super) q: Array3<f32>,
    /// \[H_kv, N, d_k\]
    pub(super) k: Array3<f32>,
    /// \[H_kv, N, d_v\]
    pub(super) v: Array3<f32>,
}

/// What attention is computed from.
#[derive(Clone, Copy)]
pub(super) struct HeadsView<'a> {
    /// \[H, N, d_k\]
    pub(super) q: ArrayView3<'a, f32>,
    /// \[H_kv, M, d_k\]; the last N keys are those of the queries' own tokens.
    pub(super) k: ArrayView3<'a, f32>,
    /// \[H_kv, M, d_v\]
    pub(super) v: ArrayView3<'a, f32>,
}
