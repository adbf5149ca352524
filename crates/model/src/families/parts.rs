//! What a family takes and gives: the sizes of a decoder, activations on their way, and weights as matrices.

use std::ops::Range;

use ndarray::{Array1, Array2, Array3, ArrayViewMut3};

use crate::layers::RopeTable;

/// Layers and heads of a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) layers: usize,
    /// H
    pub(crate) heads: usize,
    /// H_kv
    pub(crate) kv_heads: usize,
    pub(crate) d_k: usize,
    pub(crate) d_v: usize,
    pub(crate) vocab: usize,
    /// The most tokens that can be read.
    pub(crate) context: usize,
}

/// Hidden states of consecutive tokens, between layers.
pub(crate) struct Activations {
    /// \[N, d\]
    pub(crate) hidden: Array2<f32>,
    /// The tokens' rotary angles, for families that use them.
    pub(crate) rotation: Option<RopeTable>,
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

/// One layer's attention weights, as the notes write them: rows of X times W.
#[derive(Debug, Clone)]
pub struct AttentionWeights {
    /// The gain of the norm before the projections: \[d\].
    pub norm_gain: Array1<f32>,
    /// W_q: \[d, H·d_k\]; head h owns columns h·d_k … (h+1)·d_k.
    pub w_q: Array2<f32>,
    /// W_k: \[d, H_kv·d_k\].
    pub w_k: Array2<f32>,
    /// W_v: \[d, H_kv·d_v\].
    pub w_v: Array2<f32>,
    /// W_o: \[H·d_v, d\]; head h owns rows h·d_v … (h+1)·d_v.
    pub w_o: Array2<f32>,
}
