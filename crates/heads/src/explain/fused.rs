//! The fused kernel asked for what it never builds: scores and weights of one head, for comparison.

use lookback_attention::{Mask, Scoring, forward, weights};
use ndarray::{Array2, ArrayView2, Axis};

use crate::Error;

/// Weights below this are left out where scores are found from weights: f32 keeps fewer digits of them.
const SMALLEST_NORMAL: f32 = 1e-37;

/// What the fused kernel makes of one head.
pub(super) struct Fused {
    /// \[N, N\]: the weights, from Q, K and LSE.
    pub(super) weights: Array2<f32>,
    /// \[N\]: log-sum-exp of each row.
    pub(super) lse: Vec<f32>,
    /// \[N, d_v\]: the output.
    pub(super) output: Array2<f32>,
}

impl Fused {
    /// Runs the kernel on one head: q and k \[N, d_k\], v \[N, d_v\].
    pub(super) fn run(
        q: ArrayView2<f32>,
        k: ArrayView2<f32>,
        v: ArrayView2<f32>,
        scoring: &Scoring<'_>,
    ) -> Result<Self, Error> {
        let one = |m: ArrayView2<'_, f32>| m.to_owned().insert_axis(Axis(0)).insert_axis(Axis(0));
        let output = forward::forward(one(q).view(), one(k).view(), one(v).view(), scoring)?;
        let lse = output
            .lse
            .index_axis_move(Axis(0), 0)
            .index_axis_move(Axis(0), 0);
        let n = q.nrows();
        Ok(Self {
            weights: weights::weights(q, k, lse.view(), scoring, 0..n, 0..k.nrows())?,
            lse: lse.to_vec(),
            output: output
                .o
                .index_axis_move(Axis(0), 0)
                .index_axis_move(Axis(0), 0),
        })
    }

    /// The kernel's scores at this scale, without a mask: score = lse + ln weight. None where the weight is too small
    /// to show it. \[N, N\]
    pub(super) fn scores(
        q: ArrayView2<f32>,
        k: ArrayView2<f32>,
        scale: f32,
    ) -> Result<Array2<Option<f64>>, Error> {
        let scoring = Scoring::default().with_scale(scale).with_mask(Mask::None);
        // The values do not matter here; the keys are as good as any.
        let fused = Self::run(q, k, k, &scoring)?;
        Ok(Array2::from_shape_fn(fused.weights.dim(), |(i, j)| {
            let weight = fused.weights[[i, j]];
            // NaN is kept: it must show as a difference.
            let too_small = weight < SMALLEST_NORMAL;
            (!too_small).then(|| f64::from(fused.lse[i]) + f64::from(weight).ln())
        }))
    }
}
