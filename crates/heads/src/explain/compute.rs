//! The head taken step by step in f64 from the layer's input on, independently of what the model computed.

use lookback_attention::reference;
use lookback_model::spec::{Norm, QkNorm};
use ndarray::{Array1, Array2, Array3, ArrayView2, Axis, s};

use super::inputs::Inputs;
use crate::Error;

/// Every intermediate value of the followed head, and what all heads come to.
pub(super) struct Exact {
    /// \[N, d\]: the layer's input.
    pub(super) x: Array2<f64>,
    /// \[N, d\]: after the norm, where there is one.
    pub(super) x_norm: Array2<f64>,
    /// \[N, d_k\]: the head's queries before rotation, with bias and norm.
    pub(super) q_plain: Array2<f64>,
    /// \[N, d_k\]: its keys before rotation, with bias and norm.
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
    /// \[N, d\]: times W_o, plus its bias.
    pub(super) output: Array2<f64>,
}

/// From Q and K to the head's output.
pub(super) struct Weighing {
    /// \[N, N\]: Q·Kᵀ.
    pub(super) raw: Array2<f64>,
    /// \[N, N\]: times the scale.
    pub(super) scaled: Array2<f64>,
    /// \[N, N\]: after a soft-cap and a penalty of the distance, where the model has them.
    pub(super) changed: Array2<f64>,
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
        let x_norm = normed(inputs, x.view());
        let project = |w: &Array2<f32>, bias: &Array1<f32>| {
            let product = reference::project(x_norm.view(), w.mapv(f64::from).view())?;
            Ok::<_, Error>(plus(product, bias))
        };
        let qk_norm = inputs.layer.attention.qk_norm;
        let all_q = with_qk_norm(project(&inside.w_q, &inside.b_q)?, &inside.q_gain, qk_norm);
        let all_k = with_qk_norm(project(&inside.w_k, &inside.b_k)?, &inside.k_gain, qk_norm);
        let all_v = project(&inside.w_v, &inside.b_v)?;
        let rotation = Rotation::new(inputs);
        let mut heads = Vec::with_capacity(dims.heads);
        let mut followed = None;
        for head in 0..dims.heads {
            let kv_head = head / (dims.heads / dims.kv_heads);
            let of = |all: &Array2<f64>, head: usize, size: usize| {
                all.slice(s![.., head * size..(head + 1) * size]).to_owned()
            };
            let (q_plain, k_plain) = (of(&all_q, head, dims.d_k), of(&all_k, kv_head, dims.d_k));
            let v = of(&all_v, kv_head, dims.d_v);
            let (q, k) = (rotation.turn(q_plain.view()), rotation.turn(k_plain.view()));
            let weighing = Weighing::new(inputs, head, (q.view(), k.view(), v.view()))?;
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
            output: plus(output, &inside.b_o),
        })
    }
}

impl Weighing {
    fn new(
        inputs: &Inputs<'_>,
        head: usize,
        (q, k, v): (ArrayView2<f64>, ArrayView2<f64>, ArrayView2<f64>),
    ) -> Result<Self, Error> {
        let scoring = &inputs.internals.scoring;
        let d_k = q.ncols();
        let raw = reference::scores(q, k)?;
        let scaled = reference::scale(raw.view(), scoring.scale_for(d_k)?.into())?;
        let changed = Array2::from_shape_fn(raw.dim(), |at| scoring.score(raw[at], d_k, head, at));
        let masked = reference::mask(changed.view(), &scoring.mask)?;
        let lse = with_sink(reference::log_sum_exp(masked.view())?, scoring.sink(head));
        let weights = match scoring.sinks {
            None => reference::softmax(masked.view())?,
            Some(_) => (&masked - &lse.view().insert_axis(Axis(1))).mapv(f64::exp),
        };
        let z = reference::weighted_sum(weights.view(), v, &scoring.mask)?;
        Ok(Self {
            raw,
            scaled,
            changed,
            masked,
            lse,
            weights,
            z,
        })
    }
}

/// log(exp(lse) + exp(sink)), row by row.
fn with_sink(lse: Array1<f64>, sink: f64) -> Array1<f64> {
    if sink == f64::NEG_INFINITY {
        return lse;
    }
    lse.mapv(|lse| {
        let largest = lse.max(sink);
        largest + ((lse - largest).exp() + (sink - largest).exp()).ln()
    })
}

/// Rows plus a bias; an empty one adds nothing.
fn plus(rows: Array2<f64>, bias: &Array1<f32>) -> Array2<f64> {
    match bias.is_empty() {
        true => rows,
        false => rows + bias.mapv(f64::from),
    }
}

/// What the projections read: X after the norm before them, where there is one.
fn normed(inputs: &Inputs<'_>, x: ArrayView2<f64>) -> Array2<f64> {
    let inside = &inputs.internals;
    let Some(norm) = inputs.layer.attention_norms.before else {
        return x.to_owned();
    };
    plus(norm_rows(x, &inside.norm_gain, norm), &inside.norm_bias)
}

/// RMSNorm (Zhang and Sennrich 2019, <https://arxiv.org/abs/1910.07467>): x_i / √(mean(x_i²) + ε) ⊙ g, row by row; or LayerNorm
/// (Ba et al. 2016, <https://arxiv.org/abs/1607.06450>), which first subtracts each row's mean.
fn norm_rows(x: ArrayView2<f64>, gain: &Array1<f32>, norm: Norm) -> Array2<f64> {
    let centred = match norm.kind.centres() {
        true => &x - &(x.sum_axis(Axis(1)) / x.ncols() as f64).insert_axis(Axis(1)),
        false => x.to_owned(),
    };
    let mean_square = centred.mapv(|v| v * v).sum_axis(Axis(1)) / x.ncols() as f64;
    let length = mean_square.mapv(|m| (m + f64::from(norm.eps)).sqrt());
    &centred / &length.insert_axis(Axis(1)) * gain.mapv(f64::from)
}

/// All heads' queries or keys \[N, heads·d_k\] after the norm that the model has for them, of each head or of all together.
fn with_qk_norm(all: Array2<f64>, gain: &Array1<f32>, norm: Option<QkNorm>) -> Array2<f64> {
    match norm {
        None => all,
        Some(QkNorm::AllHeads(norm)) => norm_rows(all.view(), gain, norm),
        Some(QkNorm::PerHead(norm)) => {
            let mut normed = all;
            for mut head in normed.axis_chunks_iter_mut(Axis(1), gain.len()) {
                let rows = norm_rows(head.view(), gain, norm);
                head.assign(&rows);
            }
            normed
        }
    }
}

/// Rotary position embedding (Su et al. 2021, <https://arxiv.org/abs/2104.09864>), half-split: entry c of row i rotates
/// together with entry c + dims/2 by the angle i · frequency c, and both are multiplied by the magnitude.
struct Rotation {
    /// Empty where nothing turns.
    frequencies: Vec<f32>,
    magnitude: f64,
}

impl Rotation {
    fn new(inputs: &Inputs<'_>) -> Self {
        let rope = inputs.layer.attention.rope.as_ref();
        Self {
            frequencies: inputs.frequencies(),
            magnitude: rope.map_or(1.0, |rope| rope.magnitude().into()),
        }
    }

    fn turn(&self, rows: ArrayView2<f64>) -> Array2<f64> {
        let half = self.frequencies.len();
        let mut rotated = rows.to_owned();
        for (i, mut row) in rotated.rows_mut().into_iter().enumerate() {
            for (c, &frequency) in self.frequencies.iter().enumerate() {
                let (sin, cos) = (i as f64 * f64::from(frequency)).sin_cos();
                let (a, b) = (row[c], row[c + half]);
                row[c] = (a * cos - b * sin) * self.magnitude;
                row[c + half] = (b * cos + a * sin) * self.magnitude;
            }
        }
        rotated
    }
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
