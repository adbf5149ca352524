//! The head taken step by step in f64 from the layer's input on, independently of what the model computed.

use lookback_attention::reference;
use ndarray::{Array1, Array2, Array3, ArrayView2, Axis, s};

use super::inputs::Inputs;
use crate::Error;

/// Every intermediate value of the followed head, and what all heads come to.
pub(super) struct Exact {
    /// \[N, d\]: the layer's input.
    pub(super) x: Array2<f64>,
    /// \[N, d\]: after the norm.
    pub(super) x_norm: Array2<f64>,
    /// \[N, d_k\]: the head's queries before rotation.
    pub(super) q_plain: Array2<f64>,
    /// \[N, d_k\]: its keys before rotation.
    pub(super) k_plain: Array2<f64>,
    /// \[N, d_k\]: its queries after rotation.
    pub(super) q: Array2<f64>,
    /// \[N, d_k\]: its keys after rotation.
    pub(super) k: Array2<f64>,
    /// \[N, d_v\]: its values.
    pub(super) v: Array2<f64>,
    /// The scores and what comes of them.
    pub(super) weighing: Weighing,
    /// \[N, H·d_v\]: all heads side by side.
    pub(super) concat: Array2<f64>,
    /// \[N, d\]: times W_o.
    pub(super) output: Array2<f64>,
}

/// From Q and K to the head's output.
pub(super) struct Weighing {
    /// \[N, N\]: Q·Kᵀ.
    pub(super) raw: Array2<f64>,
    /// \[N, N\]: times the scale.
    pub(super) scaled: Array2<f64>,
    /// \[N, N\]: −∞ where a key is not seen.
    pub(super) masked: Array2<f64>,
    /// \[N\]: log of each row's denominator.
    pub(super) lse: Array1<f64>,
    /// \[N, N\]: the weights.
    pub(super) weights: Array2<f64>,
    /// \[N, d_v\]: the weighted sums.
    pub(super) z: Array2<f64>,
}

impl Exact {
    pub(super) fn new(inputs: &Inputs<'_>) -> Result<Self, Error> {
        let inside = &inputs.internals;
        let dims = inputs.dimensions();
        let x = inside.x.mapv(f64::from);
        let x_norm = rms_norm(x.view(), &inside.norm_gain.mapv(f64::from), inputs.norm_eps);
        let project = |w: &Array2<f32>, head: usize, size: usize| {
            reference::project(x_norm.view(), Inputs::head_columns(w, head, size).view())
        };
        let mut heads = Vec::with_capacity(dims.heads);
        let mut followed = None;
        for head in 0..dims.heads {
            let kv_head = head / (dims.heads / dims.kv_heads);
            let q_plain = project(&inside.w_q, head, dims.d_k)?;
            let k_plain = project(&inside.w_k, kv_head, dims.d_k)?;
            let v = project(&inside.w_v, kv_head, dims.d_v)?;
            let q = rotate(q_plain.view(), &inputs.frequencies);
            let k = rotate(k_plain.view(), &inputs.frequencies);
            let weighing = Weighing::new(inputs, q.view(), k.view(), v.view())?;
            heads.push(weighing.z.clone());
            if head == inputs.head.head {
                followed = Some((q_plain, k_plain, q, k, v, weighing));
            }
        }
        let views: Vec<_> = heads.iter().map(|z| z.view()).collect();
        let concat = reference::concat(&views)?;
        let output = reference::project(concat.view(), inside.w_o.mapv(f64::from).view())?;
        let (q_plain, k_plain, q, k, v, weighing) =
            followed.expect("the head was checked against the model");
        Ok(Self {
            x,
            x_norm,
            q_plain,
            k_plain,
            q,
            k,
            v,
            weighing,
            concat,
            output,
        })
    }
}

impl Weighing {
    fn new(
        inputs: &Inputs<'_>,
        q: ArrayView2<f64>,
        k: ArrayView2<f64>,
        v: ArrayView2<f64>,
    ) -> Result<Self, Error> {
        let scoring = &inputs.internals.scoring;
        let mask = &scoring.mask;
        let raw = reference::scores(q, k)?;
        let scaled = reference::scale(raw.view(), scoring.scale_for(q.ncols())?.into())?;
        let masked = reference::mask(scaled.view(), mask)?;
        let lse = reference::log_sum_exp(masked.view())?;
        let weights = reference::softmax(masked.view())?;
        let z = reference::weighted_sum(weights.view(), v, mask)?;
        Ok(Self {
            raw,
            scaled,
            masked,
            lse,
            weights,
            z,
        })
    }
}

/// RMSNorm (Zhang and Sennrich 2019, <https://arxiv.org/abs/1910.07467>): x_i / √(mean(x_i²) + ε) ⊙ g, row by row.
pub(super) fn rms_norm(x: ArrayView2<f64>, gain: &Array1<f64>, eps: f64) -> Array2<f64> {
    let mean_square = x.mapv(|v| v * v).sum_axis(Axis(1)) / x.ncols() as f64;
    let rms = mean_square.mapv(|m| (m + eps).sqrt());
    &x / &rms.insert_axis(Axis(1)) * gain
}

/// Rotary position embedding (Su et al. 2021, <https://arxiv.org/abs/2104.09864>), half-split: entry c of row i rotates
/// together with entry c + d_k/2 by the angle i · frequency c.
pub(super) fn rotate(rows: ArrayView2<f64>, frequencies: &[f64]) -> Array2<f64> {
    let half = frequencies.len();
    let mut rotated = rows.to_owned();
    for (i, mut row) in rotated.rows_mut().into_iter().enumerate() {
        for (c, &frequency) in frequencies.iter().enumerate() {
            let (sin, cos) = (i as f64 * frequency).sin_cos();
            let (a, b) = (row[c], row[c + half]);
            row[c] = a * cos - b * sin;
            row[c + half] = b * cos + a * sin;
        }
    }
    rotated
}

/// Heads side by side: \[H, N, size\] as \[N, H·size\].
pub(super) fn side_by_side(heads: &Array3<f32>) -> Array2<f32> {
    let (h, n, size) = heads.dim();
    Array2::from_shape_fn((n, h * size), |(i, c)| heads[[c / size, i, c % size]])
}

/// ‖v_j·W_o^h‖ of each token: how long what it would add to the output is at weight 1. \[N\]
pub(super) fn value_lengths(v: ArrayView2<f64>, w_o: &Array2<f32>, head: usize) -> Array1<f64> {
    let d_v = v.ncols();
    let w_o = w_o
        .slice(s![head * d_v..(head + 1) * d_v, ..])
        .mapv(f64::from);
    v.dot(&w_o)
        .mapv(|x| x * x)
        .sum_axis(Axis(1))
        .mapv(f64::sqrt)
}
