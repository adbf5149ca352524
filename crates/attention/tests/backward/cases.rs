//! Shapes, options and operands that the tests share.

use lookback_attention::reference::{ExactGradients, backward};
use lookback_attention::{Mask, Scoring};
use ndarray::{Array1, Array3, Array4, Dimension, ShapeBuilder};

use crate::common::Random;
use crate::common::cases::ranges;

/// Dimensions of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dims {
    pub(crate) b: usize,
    pub(crate) h: usize,
    pub(crate) h_kv: usize,
    pub(crate) n: usize,
    pub(crate) m: usize,
    pub(crate) d_k: usize,
    pub(crate) d_v: usize,
}

/// Which options of `Scoring` a case uses; what they hold is drawn with the operands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    pub(crate) mask: Mask,
    pub(crate) scale: Option<f32>,
    pub(crate) soft_cap: Option<f32>,
    pub(crate) alibi: bool,
    /// The bias's shape, each dimension the full one or 1.
    pub(crate) bias: Option<[usize; 4]>,
    pub(crate) sinks: bool,
    pub(crate) key_lengths: Option<Vec<usize>>,
    pub(crate) d_lse: bool,
}

/// Everything that a call takes.
#[derive(Debug, Clone)]
pub(crate) struct Operands {
    pub(crate) q: Array4<f64>,
    pub(crate) k: Array4<f64>,
    pub(crate) v: Array4<f64>,
    pub(crate) d_o: Array4<f64>,
    pub(crate) d_lse: Option<Array3<f64>>,
    pub(crate) bias: Option<Array4<f32>>,
    pub(crate) sinks: Option<Array1<f32>>,
    pub(crate) alibi: Option<Array1<f32>>,
    choice: Choice,
}

impl Operands {
    /// Values in [−1.7, 1.7] (unit variance), each a whole number of 2⁻¹⁰: exact in f32, and so are small steps
    /// from them.
    pub(crate) fn random(dims: Dims, choice: &Choice, seed: u64) -> Operands {
        let mut random = Random(seed);
        let mut value = || ((random.next() % 3549) as f64 - 1774.0) / 1024.0;
        let Dims {
            b,
            h,
            h_kv,
            n,
            m,
            d_k,
            d_v,
        } = dims;
        Operands {
            q: array((b, h, n, d_k), &mut value),
            k: array((b, h_kv, m, d_k), &mut value),
            v: array((b, h_kv, m, d_v), &mut value),
            d_o: array((b, h, n, d_v), &mut value),
            d_lse: choice.d_lse.then(|| array((b, h, n), &mut value)),
            bias: choice
                .bias
                .map(|[b, h, n, m]| array((b, h, n, m), &mut value).mapv(|x: f64| x as f32)),
            sinks: choice
                .sinks
                .then(|| array(h, &mut value).mapv(|x: f64| x as f32)),
            // As small as models have them: the log-sum-exp, of the size of slope times distance, is only f32.
            alibi: choice
                .alibi
                .then(|| array(h, &mut value).mapv(|x: f64| x as f32 / 16.0)),
            choice: choice.clone(),
        }
    }

    /// The options, borrowing the operands.
    pub(crate) fn scoring(&self) -> Scoring<'_> {
        let mut scoring = Scoring::default().with_mask(self.choice.mask.clone());
        scoring.scale = self.choice.scale;
        scoring.soft_cap = self.choice.soft_cap;
        scoring.alibi = self
            .alibi
            .as_ref()
            .and_then(|a| a.as_slice())
            .map(Into::into);
        scoring.bias = self.bias.as_ref().map(|bias| bias.view());
        scoring.sinks = self
            .sinks
            .as_ref()
            .and_then(|a| a.as_slice())
            .map(Into::into);
        scoring.key_lengths = self.choice.key_lengths.as_deref();
        scoring
    }

    /// The gradients by the reference.
    pub(crate) fn exact(&self) -> ExactGradients {
        let d_lse = self.d_lse.as_ref().map(|d| d.view());
        backward(
            self.q.view(),
            self.k.view(),
            self.v.view(),
            self.d_o.view(),
            d_lse,
            &self.scoring(),
        )
        .expect("shapes that fit")
    }
}

/// An array of drawn values.
fn array<Sh, D>(shape: Sh, value: &mut impl FnMut() -> f64) -> ndarray::Array<f64, D>
where
    Sh: ShapeBuilder<Dim = D>,
    D: Dimension,
{
    ndarray::Array::from_shape_simple_fn(shape, value)
}

/// Every mask that a case of N×M may meet, also such as hide everything from some queries.
pub(crate) fn masks(n: usize, m: usize) -> Vec<Mask> {
    let end = m as isize - n as isize;
    let ranges = |kind, width, seed| Mask::Ranges {
        ranges: ranges(kind, width, seed),
        offset: 0,
    };
    vec![
        Mask::None,
        Mask::Causal { offset: 0 },
        Mask::Causal { offset: end },
        Mask::Causal { offset: -2 },
        Mask::StrictlyBefore { offset: 0 },
        Mask::Window {
            window: 3,
            offset: 0,
        },
        Mask::Window {
            window: 2,
            offset: end,
        },
        Mask::Window {
            window: 4,
            offset: -1,
        },
        Mask::SymmetricWindow {
            radius: 2,
            offset: 0,
        },
        Mask::SymmetricWindow {
            radius: 1,
            offset: end,
        },
        // Chunks, a prefix, documents with padding between them, padding on both sides, and anything.
        ranges(0, 3, 0),
        ranges(1, 4, 0),
        ranges(3, 2, 0),
        ranges(4, 2, 0),
        ranges(5, 1, 7),
    ]
}

/// Each option alone with every mask of `masks`, and all together.
pub(crate) fn choices(dims: Dims) -> Vec<Choice> {
    let Dims { b, h, n, m, .. } = dims;
    let lengths: Vec<usize> = (0..b)
        .map(|b| (m * (b + 1)).div_ceil(3).min(m) * (b + 1) % (m + 1))
        .collect();
    let mut all = Vec::new();
    for mask in masks(n, m) {
        let plain = Choice {
            mask: mask.clone(),
            ..Choice::default()
        };
        all.push(plain.clone());
        all.push(Choice {
            d_lse: true,
            scale: Some(0.31),
            ..plain.clone()
        });
        all.push(Choice {
            soft_cap: Some(1.5),
            ..plain.clone()
        });
        all.push(Choice {
            alibi: true,
            ..plain.clone()
        });
        all.push(Choice {
            sinks: true,
            d_lse: true,
            ..plain.clone()
        });
        all.push(Choice {
            key_lengths: Some(lengths.clone()),
            ..plain.clone()
        });
        for shape in [
            [b, h, n, m],
            [1, h, n, m],
            [b, 1, 1, m],
            [1, 1, n, 1],
            [1, 1, 1, 1],
        ] {
            all.push(Choice {
                bias: Some(shape),
                ..plain.clone()
            });
        }
        all.push(Choice {
            scale: Some(-0.7),
            soft_cap: Some(2.0),
            alibi: true,
            bias: Some([1, h, n, m]),
            sinks: true,
            key_lengths: Some(lengths.clone()),
            d_lse: true,
            mask,
        });
    }
    all
}
