//! What a call takes and gives.

use ndarray::{Array1, Array4, ArrayView3, ArrayView4, ArrayViewMut1, ArrayViewMut4, s};

use super::head::{Head, HeadGradients, HeadInputs, heads_of};
use crate::score::HeadScoring;
use crate::shape::{Shape, room, same_dims};
use crate::{Error, Scoring};

/// What the forward pass took and gave, and the gradient of its output; any strides.
#[derive(Debug, Clone)]
pub struct Inputs<'a> {
    /// \[B, H, N, d_k\]: the queries.
    pub q: ArrayView4<'a, f32>,
    /// \[B, H_kv, M, d_k\]: the keys.
    pub k: ArrayView4<'a, f32>,
    /// \[B, H_kv, M, d_v\]: the values.
    pub v: ArrayView4<'a, f32>,
    /// \[B, H, N, d_v\]: the output, as the forward pass gave it for the same operands and scoring.
    pub o: ArrayView4<'a, f32>,
    /// \[B, H, N\]: the log-sum-exp, likewise.
    pub lse: ArrayView3<'a, f32>,
    /// \[B, H, N, d_v\]: ∂loss/∂O.
    pub d_o: ArrayView4<'a, f32>,
}

/// What a call may have beside its inputs.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Options<'a> {
    /// \[B, H, N\]: ∂loss/∂LSE, if the loss uses the log-sum-exp too. Rows whose LSE is −∞ have no part in it.
    pub d_lse: Option<ArrayView3<'a, f32>>,
    /// The bias is a constant: [`backward`](super::backward()) leaves its gradient out, which saves the pass that it takes.
    pub constant_bias: bool,
}

impl<'a> Options<'a> {
    /// Sets ∂loss/∂LSE, \[B, H, N\].
    pub fn with_d_lse(mut self, d_lse: ArrayView3<'a, f32>) -> Self {
        self.d_lse = Some(d_lse);
        self
    }

    /// Leaves out the gradient of the bias.
    pub fn with_constant_bias(mut self) -> Self {
        self.constant_bias = true;
        self
    }
}

/// The gradients of a loss, each as large as what it is the gradient of.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// \[B, H, N, d_k\]; 0 for a query that sees no key.
    pub dq: Array4<f32>,
    /// \[B, H_kv, M, d_k\], summed over the query heads of the group; 0 for a key that no query sees.
    pub dk: Array4<f32>,
    /// \[B, H_kv, M, d_v\], likewise.
    pub dv: Array4<f32>,
    /// As large as the bias was given: a dimension of 1 is summed over. `None` without a bias, or for a
    /// [constant](Options::constant_bias) one.
    pub d_bias: Option<Array4<f32>>,
    /// \[H\], summed over the batch; `None` without sinks.
    pub d_sinks: Option<Array1<f32>>,
}

/// Where [`backward_into`](super::backward_into) writes the gradients; shapes as in [`Gradients`], any strides.
#[derive(Debug)]
pub struct GradientsMut<'a> {
    /// \[B, H, N, d_k\]
    pub dq: ArrayViewMut4<'a, f32>,
    /// \[B, H_kv, M, d_k\]
    pub dk: ArrayViewMut4<'a, f32>,
    /// \[B, H_kv, M, d_v\]
    pub dv: ArrayViewMut4<'a, f32>,
    /// As large as the bias; `None` if its gradient is not wanted.
    pub d_bias: Option<ArrayViewMut4<'a, f32>>,
    /// \[H\]; `None` if the sinks' gradient is not wanted.
    pub d_sinks: Option<ArrayViewMut1<'a, f32>>,
}

impl Inputs<'_> {
    /// The call's dimensions, if everything fits.
    pub(super) fn validate(&self, options: &Options, scoring: &Scoring) -> Result<Shape, Error> {
        let shape = Shape::new(self.q.dim(), self.k.dim(), self.v.dim())?;
        scoring.validate(&shape)?;
        let Shape { b, h, n, d_v, .. } = shape;
        let output = ("the output of q, k and v", &[b, h, n, d_v][..]);
        same_dims(&["B", "H", "N", "d_v"], ("o", self.o.shape()), output)?;
        same_dims(&["B", "H", "N", "d_v"], ("d_o", self.d_o.shape()), output)?;
        same_dims(&["B", "H", "N"], ("lse", self.lse.shape()), output)?;
        if let Some(d_lse) = &options.d_lse {
            same_dims(&["B", "H", "N"], ("d_lse", d_lse.shape()), output)?;
        }
        Ok(shape)
    }

    /// The heads of a validated call, batch element after batch element.
    pub(super) fn heads<'h>(
        &'h self,
        shape: &Shape,
        options: &'h Options,
        scoring: &'h Scoring,
    ) -> Result<Vec<Head<'h>>, Error> {
        let one = |at: usize| {
            let (b, h) = (at / shape.h, at % shape.h);
            let kv = h / shape.group();
            let d_lse = options.d_lse.as_ref();
            Ok(Head {
                inputs: HeadInputs {
                    q: self.q.slice(s![b, h, .., ..]),
                    k: self.k.slice(s![b, kv, .., ..]),
                    v: self.v.slice(s![b, kv, .., ..]),
                    o: self.o.slice(s![b, h, .., ..]),
                    lse: self.lse.slice(s![b, h, ..]),
                    d_o: self.d_o.slice(s![b, h, .., ..]),
                    d_lse: d_lse.map(|d_lse| d_lse.slice(s![b, h, ..])),
                },
                scoring: HeadScoring::new(scoring, shape, b, h)?,
            })
        };
        (0..shape.b * shape.h).map(one).collect()
    }
}

impl Gradients {
    /// Room for the gradients of a validated call.
    pub(super) fn zeros(
        shape: &Shape,
        options: &Options,
        scoring: &Scoring,
    ) -> Result<Gradients, Error> {
        let Shape {
            b,
            h,
            h_kv,
            n,
            m,
            d_k,
            d_v,
        } = *shape;
        let bias = scoring.bias.as_ref().filter(|_| !options.constant_bias);
        room("dq", &[b, h, n, d_k])?;
        room("dk", &[b, h_kv, m, d_k])?;
        room("dv", &[b, h_kv, m, d_v])?;
        room("d_bias", bias.map_or(&[], |bias| bias.shape()))?;
        Ok(Gradients {
            dq: Array4::zeros((b, h, n, d_k)),
            dk: Array4::zeros((b, h_kv, m, d_k)),
            dv: Array4::zeros((b, h_kv, m, d_v)),
            d_bias: bias.map(|bias| Array4::zeros(bias.dim())),
            d_sinks: scoring
                .sinks
                .as_ref()
                .map(|sinks| Array1::zeros(sinks.len())),
        })
    }

    /// Views to write to.
    pub fn view_mut(&mut self) -> GradientsMut<'_> {
        GradientsMut {
            dq: self.dq.view_mut(),
            dk: self.dk.view_mut(),
            dv: self.dv.view_mut(),
            d_bias: self.d_bias.as_mut().map(|d_bias| d_bias.view_mut()),
            d_sinks: self.d_sinks.as_mut().map(|d_sinks| d_sinks.view_mut()),
        }
    }
}

impl<'a> GradientsMut<'a> {
    /// The bias's gradient, and the others' by heads.
    pub(super) fn by_head(self) -> (Option<ArrayViewMut4<'a, f32>>, HeadGradients<'a>) {
        let by_head = HeadGradients {
            dq: heads_of(self.dq),
            dk: heads_of(self.dk),
            dv: heads_of(self.dv),
            d_sinks: self.d_sinks,
        };
        (self.d_bias, by_head)
    }

    /// Rejects gradients that do not fit a validated call.
    pub(super) fn validate(&self, shape: &Shape, scoring: &Scoring) -> Result<(), Error> {
        let Shape {
            b,
            h,
            h_kv,
            n,
            m,
            d_k,
            d_v,
        } = *shape;
        same_dims(
            &["B", "H", "N", "d_k"],
            ("dq", self.dq.shape()),
            ("q", &[b, h, n, d_k]),
        )?;
        same_dims(
            &["B", "H_kv", "M", "d_k"],
            ("dk", self.dk.shape()),
            ("k", &[b, h_kv, m, d_k]),
        )?;
        same_dims(
            &["B", "H_kv", "M", "d_v"],
            ("dv", self.dv.shape()),
            ("v", &[b, h_kv, m, d_v]),
        )?;
        if let Some(d_bias) = &self.d_bias {
            let Some(bias) = &scoring.bias else {
                return Err(Error::NothingToDerive {
                    gradient: "d_bias",
                    option: "bias",
                });
            };
            same_dims(
                &["B", "H", "N", "M"],
                ("d_bias", d_bias.shape()),
                ("bias", bias.shape()),
            )?;
        }
        if let Some(d_sinks) = &self.d_sinks {
            let Some(sinks) = &scoring.sinks else {
                return Err(Error::NothingToDerive {
                    gradient: "d_sinks",
                    option: "sinks",
                });
            };
            same_dims(
                &["H"],
                ("d_sinks", d_sinks.shape()),
                ("sinks", &[sinks.len()]),
            )?;
        }
        Ok(())
    }
}
