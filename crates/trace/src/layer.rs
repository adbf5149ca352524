//! One layer's tensors, as a run of a model hands them over.

use ndarray::{Array2, Array3};

/// What one attention layer leaves behind. All N×… tensors cover the same N tokens.
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
    /// ‖v_j·W_o^h‖, how long a key's contribution to the output would be at weight 1: \[H, N\].
    pub vnorm: Array2<f32>,
    /// Values, where the run was asked to keep them: \[H_kv, N, d_v\].
    pub v: Option<Array3<f32>>,
}
