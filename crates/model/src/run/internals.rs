//! Everything that one attention layer computes, kept.

use lookback_trace::Scoring;
use ndarray::{Array1, Array2, Array3};

/// Every intermediate value of one attention layer on one text. N tokens, model dimension d, H query heads,
/// H_kv key/value heads.
///
/// Matrices stand as the notes write them: rows of X times W (`nn.Linear` stores the transpose).
#[derive(Debug, Clone)]
pub struct LayerInternals {
    /// The layer.
    pub layer: usize,
    /// X, what enters the layer: \[N, d\].
    pub x: Array2<f32>,
    /// The gain of the norm before the projections: \[d\]; ones where there is none.
    pub norm_gain: Array1<f32>,
    /// X after the norm, what the projections read: \[N, d\].
    pub x_norm: Array2<f32>,
    /// W_q: \[d, H·d_k\]; head h owns columns h·d_k … (h+1)·d_k.
    pub w_q: Array2<f32>,
    /// W_k: \[d, H_kv·d_k\].
    pub w_k: Array2<f32>,
    /// W_v: \[d, H_kv·d_v\].
    pub w_v: Array2<f32>,
    /// W_o: \[H·d_v, d\]; head h owns rows h·d_v … (h+1)·d_v.
    pub w_o: Array2<f32>,
    /// What the norm adds: \[d\], or empty.
    pub norm_bias: Array1<f32>,
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
    /// Queries before the rotary embedding, with bias and norm: \[H, N, d_k\].
    pub q_plain: Array3<f32>,
    /// Keys before the rotary embedding, with bias and norm: \[H_kv, N, d_k\].
    pub k_plain: Array3<f32>,
    /// Queries as the scores use them: \[H, N, d_k\].
    pub q: Array3<f32>,
    /// Keys as the scores use them: \[H_kv, N, d_k\].
    pub k: Array3<f32>,
    /// Values: \[H_kv, N, d_v\].
    pub v: Array3<f32>,
    /// Log-sum-exp of each row of scores: \[H, N\].
    pub lse: Array2<f32>,
    /// The heads' outputs from the fused kernel: \[H, N, d_v\].
    pub z: Array3<f32>,
    /// Concatenated heads times W_o plus b_o, before any norm behind it: what the attention adds to X. \[N, d\].
    pub attn_out: Array2<f32>,
    /// How the scores are computed.
    pub scoring: Scoring<'static>,
}
