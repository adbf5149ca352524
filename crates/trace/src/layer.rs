//! One layer's tensors.

use lookback_attention::Scoring;
use ndarray::{Array2, Array3};

use crate::tensor::Tensor;

/// What one attention layer leaves behind, as a run of a model hands it over. N is the number of queries, M that of keys: the
/// same tokens, but in cross-attention.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layer {
    /// Queries as the scores use them (after any rotary embedding): \[H, N, d_k\].
    pub q: Array3<f32>,
    /// Keys as the scores use them: \[H_kv, M, d_k\]; H_kv divides H, and query head h reads key head
    /// h / (H / H_kv).
    pub k: Array3<f32>,
    /// Natural log-sum-exp of each query's scores over the keys it sees, a sink's logit included: \[H, N\].
    /// −∞ where a query sees no key.
    pub lse: Array2<f32>,
    /// ‖v_j·W_o^h‖, how long a key's contribution to the layer's output would be at weight 1: \[H, M\]. Of all layers or of
    /// none.
    pub vnorm: Option<Array2<f32>>,
    /// Values, where the run was asked to keep them: \[H_kv, M, d_v\]. Of all layers or of none.
    pub v: Option<Array3<f32>>,
    /// What is added to the scores, where something is: \[H, N, M\], each dimension the full one or 1. Finite.
    pub bias: Option<Array3<f32>>,
}

/// A layer as a trace holds it: the tensors of [`Layer`], in memory or in a mapped file.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) q: Tensor,
    pub(crate) k: Tensor,
    pub(crate) lse: Tensor,
    pub(crate) vnorm: Option<Tensor>,
    pub(crate) v: Option<Tensor>,
    pub(crate) bias: Option<Tensor>,
}

impl Stored {
    /// The key head that a query head reads.
    pub(crate) fn kv_head(&self, head: usize) -> usize {
        head / (self.q.heads / self.k.heads)
    }

    /// How the layer's scores are computed, with its bias.
    pub(crate) fn scoring<'a>(&'a self, described: &'a Scoring<'static>) -> Scoring<'a> {
        let mut scoring = Scoring::default().with_mask(described.mask.clone());
        scoring.scale = described.scale;
        scoring.soft_cap = described.soft_cap;
        scoring.alibi = described.alibi.as_deref().map(Into::into);
        scoring.sinks = described.sinks.as_deref().map(Into::into);
        scoring.bias = self.bias.as_ref().map(Tensor::stored_f32);
        scoring
    }
}

impl From<Layer> for Stored {
    fn from(layer: Layer) -> Self {
        Self {
            q: Tensor::owned(layer.q),
            k: Tensor::owned(layer.k),
            lse: Tensor::owned(layer.lse),
            vnorm: layer.vnorm.map(Tensor::owned),
            v: layer.v.map(Tensor::owned),
            bias: layer.bias.map(Tensor::owned),
        }
    }
}
