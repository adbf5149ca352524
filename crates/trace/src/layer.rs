//! One layer's tensors.

use ndarray::{Array2, Array3};

use crate::tensor::Tensor;

/// What one attention layer leaves behind, as a run of a model hands it over. All tensors cover the same N tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Queries as the scores use them (after any rotary embedding): \[H, N, d_k\].
    pub q: Array3<f32>,
    /// Keys as the scores use them: \[H_kv, N, d_k\]; H_kv divides H, and query head h reads key head
    /// h / (H / H_kv).
    pub k: Array3<f32>,
    /// Natural log-sum-exp of each query's scores over the keys it sees, a sink's logit included: \[H, N\].
    /// −∞ where a query sees no key.
    pub lse: Array2<f32>,
    /// ‖v_j·W_o^h‖, how long a key's contribution to the layer's output would be at weight 1: \[H, N\].
    pub vnorm: Array2<f32>,
    /// Values, where the run was asked to keep them: \[H_kv, N, d_v\].
    pub v: Option<Array3<f32>>,
}

/// A layer as a trace holds it: the tensors of [`Layer`], in memory or in a mapped file.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) q: Tensor,
    pub(crate) k: Tensor,
    pub(crate) lse: Tensor,
    pub(crate) vnorm: Tensor,
    pub(crate) v: Option<Tensor>,
}

impl Stored {
    /// The key head that a query head reads.
    pub(crate) fn kv_head(&self, head: usize) -> usize {
        head / (self.q.heads / self.k.heads)
    }
}

impl From<Layer> for Stored {
    fn from(layer: Layer) -> Self {
        Self {
            q: Tensor::owned(layer.q),
            k: Tensor::owned(layer.k),
            lse: Tensor::owned(layer.lse),
            vnorm: Tensor::owned(layer.vnorm),
            v: layer.v.map(Tensor::owned),
        }
    }
}
