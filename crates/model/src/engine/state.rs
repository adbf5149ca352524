//! What the engine takes and gives: activations on their way, and weights as matrices.

use std::ops::Range;

use ndarray::{Array1, Array2, Array3, ArrayViewMut3};

use crate::layers::RopeTable;

/// Hidden states of consecutive tokens, between layers.
pub(crate) struct Activations {
    /// \[N, d\]
    pub(crate) hidden: Array2<f32>,
    /// The tokens' rotary angles, a table for each rotary embedding that the layers have.
    pub(crate) rotations: Vec<RopeTable>,
}

/// Where a layer's queries, keys and values are written. The last two axes are contiguous.
pub(crate) struct HeadsMut<'a> {
    /// \[H, N, d_k\]
    pub(crate) q: ArrayViewMut3<'a, f32>,
    /// \[H_kv, N, d_k\]
    pub(crate) k: ArrayViewMut3<'a, f32>,
    /// \[H_kv, N, d_v\]
    pub(crate) v: ArrayViewMut3<'a, f32>,
}

impl HeadsMut<'_> {
    /// The rows `rows` of all three.
    pub(crate) fn rows(&mut self, rows: Range<usize>) -> HeadsMut<'_> {
        let rows = ndarray::s![.., rows, ..];
        HeadsMut {
            q: self.q.slice_mut(rows),
            k: self.k.slice_mut(rows),
            v: self.v.slice_mut(rows),
        }
    }
}

/// The steps from a layer's input to its queries and keys; shapes as in
/// [`LayerInternals`](crate::LayerInternals).
pub(crate) struct Projection {
    pub(crate) x_norm: Array2<f32>,
    pub(crate) q_plain: Array3<f32>,
    pub(crate) k_plain: Array3<f32>,
}

/// One layer's attention weights, as the notes write them: rows of X times W, plus b where there is one.
///
/// Vectors that a model does not have are neutral where they multiply (ones) and empty where they are added.
#[derive(Debug, Clone)]
pub struct AttentionWeights {
    /// The gain of the norm before the projections: \[d\].
    pub norm_gain: Array1<f32>,
    /// What that norm adds: \[d\], or empty.
    pub norm_bias: Array1<f32>,
    /// W_q: \[d, H·d_k\]; head h owns columns h·d_k … (h+1)·d_k.
    pub w_q: Array2<f32>,
    /// W_k: \[d, H_kv·d_k\].
    pub w_k: Array2<f32>,
    /// W_v: \[d, H_kv·d_v\].
    pub w_v: Array2<f32>,
    /// W_o: \[H·d_v, d\]; head h owns rows h·d_v … (h+1)·d_v.
    pub w_o: Array2<f32>,
    /// b_q: \[H·d_k\], or empty.
    pub b_q: Array1<f32>,
    /// b_k: \[H_kv·d_k\], or empty.
    pub b_k: Array1<f32>,
    /// b_v: \[H_kv·d_v\], or empty.
    pub b_v: Array1<f32>,
    /// b_o: \[d\], or empty.
    pub b_o: Array1<f32>,
    /// The gain of the norm of queries: \[d_k\], or \[H·d_k\] where it is of all heads together, or empty.
    pub q_gain: Array1<f32>,
    /// The gain of the norm of keys, likewise.
    pub k_gain: Array1<f32>,
}
