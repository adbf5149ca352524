//! dQ, dK and dV of packed sequences, and the sinks' gradient.

use ndarray::{Array1, Array3, ArrayView2, ArrayView3, ArrayViewMut1, ArrayViewMut3, Axis, s};

use super::call::{cut, scorings, validate, with_queries};
use super::sequences::{Sequence, Sequences};
use crate::backward::driver::Backward;
use crate::backward::head::{Head, HeadGradients, HeadInputs, heads_of};
use crate::score::HeadScoring;
use crate::shape::{Shape, room, same_dims};
use crate::{Error, InstructionSet, Scoring};

/// What the forward pass took and gave, and the gradients of that; any strides.
#[derive(Debug, Clone)]
pub struct Inputs<'a> {
    /// \[H, N, d_k\]: the queries.
    pub q: ArrayView3<'a, f32>,
    /// \[H_kv, M, d_k\]: the keys.
    pub k: ArrayView3<'a, f32>,
    /// \[H_kv, M, d_v\]: the values.
    pub v: ArrayView3<'a, f32>,
    /// \[H, N, d_v\]: the output, as the forward pass gave it for the same operands, sequences and scoring.
    pub o: ArrayView3<'a, f32>,
    /// \[H, N\]: the log-sum-exp, likewise.
    pub lse: ArrayView2<'a, f32>,
    /// \[H, N, d_v\]: ∂loss/∂O.
    pub d_o: ArrayView3<'a, f32>,
    /// \[H, N\]: ∂loss/∂LSE, if the loss uses the log-sum-exp too. Rows whose LSE is −∞ have no part in it.
    pub d_lse: Option<ArrayView2<'a, f32>>,
}

/// The gradients of a loss, each as large as what it is the gradient of.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// \[H, N, d_k\]; 0 for a query that sees no key.
    pub dq: Array3<f32>,
    /// \[H_kv, M, d_k\], summed over the query heads of the group; 0 for a key that no query sees.
    pub dk: Array3<f32>,
    /// \[H_kv, M, d_v\], likewise.
    pub dv: Array3<f32>,
    /// \[H\], summed over the sequences; `None` without sinks.
    pub d_sinks: Option<Array1<f32>>,
}

/// Where [`backward_into`] writes the gradients; shapes as in [`Gradients`], any strides.
#[derive(Debug)]
pub struct GradientsMut<'a> {
    /// \[H, N, d_k\]
    pub dq: ArrayViewMut3<'a, f32>,
    /// \[H_kv, M, d_k\]
    pub dk: ArrayViewMut3<'a, f32>,
    /// \[H_kv, M, d_v\]
    pub dv: ArrayViewMut3<'a, f32>,
    /// \[H\]; `None` if the sinks' gradient is not wanted.
    pub d_sinks: Option<ArrayViewMut1<'a, f32>>,
}

/// The gradients of a loss with respect to everything that [`forward`](super::forward()) took.
///
/// # Errors
/// As [`forward`](super::forward()).
pub fn backward(
    inputs: &Inputs,
    sequences: &Sequences,
    scoring: &Scoring,
) -> Result<Gradients, Error> {
    backward_on(InstructionSet::best(), inputs, sequences, scoring)
}

/// [`backward()`] on a chosen instruction set: for tests and measurements.
///
/// # Errors
/// As [`backward()`].
pub fn backward_on(
    set: InstructionSet,
    inputs: &Inputs,
    sequences: &Sequences,
    scoring: &Scoring,
) -> Result<Gradients, Error> {
    inputs.validate(sequences, scoring)?;
    let (q, k, v) = (inputs.q.dim(), inputs.k.dim(), inputs.v.dim());
    for (operand, dim) in [("dq", q), ("dk", k), ("dv", v)] {
        room(operand, &[dim.0, dim.1, dim.2])?;
    }
    let mut gradients = Gradients {
        dq: Array3::zeros(q),
        dk: Array3::zeros(k),
        dv: Array3::zeros(v),
        d_sinks: scoring
            .sinks
            .as_ref()
            .map(|sinks| Array1::zeros(sinks.len())),
    };
    backward_into_on(set, inputs, sequences, scoring, gradients.view_mut())?;
    Ok(gradients)
}

/// [`backward()`] into given arrays of any strides, whose values are overwritten.
///
/// # Errors
/// As [`backward()`]; also [`Error::ShapeMismatch`] if a gradient has another shape than its operand, and
/// [`Error::NothingToDerive`] if the sinks' gradient is asked for and there are none.
pub fn backward_into(
    inputs: &Inputs,
    sequences: &Sequences,
    scoring: &Scoring,
    gradients: GradientsMut,
) -> Result<(), Error> {
    backward_into_on(
        InstructionSet::best(),
        inputs,
        sequences,
        scoring,
        gradients,
    )
}

/// [`backward_into`] on a chosen instruction set: for tests and measurements.
///
/// # Errors
/// As [`backward_into`].
pub fn backward_into_on(
    set: InstructionSet,
    inputs: &Inputs,
    sequences: &Sequences,
    scoring: &Scoring,
    gradients: GradientsMut,
) -> Result<(), Error> {
    let shape = inputs.validate(sequences, scoring)?;
    gradients.validate(inputs, scoring)?;
    if shape.n == 0 {
        gradients.fill_with_zeros();
        return Ok(());
    }
    let scorings = scorings(&shape, sequences, scoring)?;
    let heads: Vec<_> = with_queries(sequences)
        .zip(scorings.chunks_exact(shape.h))
        .flat_map(|(sequence, scorings)| inputs.heads(&shape, sequence, scorings))
        .collect();
    set.run(Backward {
        h: shape.h,
        h_kv: shape.h_kv,
        heads: &heads,
        // As for each sequence alone, so that what it gets does not depend on its neighbours.
        sharing: shape.h,
        scale: scoring.scale_for(shape.d_k)?,
        gradients: gradients.by_head(sequences),
    });
    Ok(())
}

impl Inputs<'_> {
    /// The call's dimensions, if everything fits.
    fn validate(&self, sequences: &Sequences, scoring: &Scoring) -> Result<Shape, Error> {
        let operands = (self.q.dim(), self.k.dim(), self.v.dim());
        let shape = validate(operands, sequences, scoring)?;
        let output = (
            "the output of q, k and v",
            &[shape.h, shape.n, shape.d_v][..],
        );
        same_dims(&["H", "N", "d_v"], ("o", self.o.shape()), output)?;
        same_dims(&["H", "N", "d_v"], ("d_o", self.d_o.shape()), output)?;
        same_dims(&["H", "N"], ("lse", self.lse.shape()), output)?;
        if let Some(d_lse) = &self.d_lse {
            same_dims(&["H", "N"], ("d_lse", d_lse.shape()), output)?;
        }
        Ok(shape)
    }

    /// The heads of one sequence.
    fn heads<'h>(
        &'h self,
        shape: &Shape,
        Sequence { queries, keys, .. }: Sequence,
        scorings: &'h [HeadScoring<'h>],
    ) -> impl Iterator<Item = Head<'h>> {
        let group = shape.group();
        scorings.iter().enumerate().map(move |(h, scoring)| {
            let of_queries = |x: &ArrayView3<'h, f32>| x.slice_move(s![h, queries.clone(), ..]);
            let of_keys = |x: &ArrayView3<'h, f32>| x.slice_move(s![h / group, keys.clone(), ..]);
            Head {
                inputs: HeadInputs {
                    q: of_queries(&self.q),
                    k: of_keys(&self.k),
                    v: of_keys(&self.v),
                    o: of_queries(&self.o),
                    lse: self.lse.slice_move(s![h, queries.clone()]),
                    d_o: of_queries(&self.d_o),
                    d_lse: self.d_lse.map(|d| d.slice_move(s![h, queries.clone()])),
                },
                scoring: scoring.clone(),
            }
        })
    }
}

impl Gradients {
    /// Views to write to.
    pub fn view_mut(&mut self) -> GradientsMut<'_> {
        GradientsMut {
            dq: self.dq.view_mut(),
            dk: self.dk.view_mut(),
            dv: self.dv.view_mut(),
            d_sinks: self.d_sinks.as_mut().map(|d_sinks| d_sinks.view_mut()),
        }
    }
}

impl<'a> GradientsMut<'a> {
    /// Rejects gradients that do not fit a validated call.
    fn validate(&self, inputs: &Inputs, scoring: &Scoring) -> Result<(), Error> {
        let [q, k, v] = [inputs.q.shape(), inputs.k.shape(), inputs.v.shape()];
        same_dims(&["H", "N", "d_k"], ("dq", self.dq.shape()), ("q", q))?;
        same_dims(&["H_kv", "M", "d_k"], ("dk", self.dk.shape()), ("k", k))?;
        same_dims(&["H_kv", "M", "d_v"], ("dv", self.dv.shape()), ("v", v))?;
        match (&self.d_sinks, &scoring.sinks) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Error::NothingToDerive {
                gradient: "d_sinks",
                option: "sinks",
            }),
            (Some(d_sinks), Some(sinks)) => same_dims(
                &["H"],
                ("d_sinks", d_sinks.shape()),
                ("sinks", &[sinks.len()]),
            ),
        }
    }

    /// What no query has a part in.
    fn fill_with_zeros(mut self) {
        self.dk.fill(0.0);
        self.dv.fill(0.0);
        if let Some(mut d_sinks) = self.d_sinks {
            d_sinks.fill(0.0);
        }
    }

    /// The gradients of each sequence's heads; those of a sequence without queries, which nothing is added to, are set to 0
    /// and left out.
    fn by_head(self, sequences: &Sequences) -> HeadGradients<'a> {
        let heads = |gradient, len: fn(&Sequence) -> usize| {
            let pieces = cut(gradient, sequences.iter().map(|sequence| len(&sequence)));
            let mut heads = Vec::new();
            for (sequence, mut piece) in sequences.iter().zip(pieces) {
                if sequence.queries.is_empty() {
                    piece.fill(0.0);
                } else {
                    heads.extend(heads_of(piece.insert_axis(Axis(0))));
                }
            }
            heads
        };
        HeadGradients {
            dq: heads(self.dq, |sequence| sequence.queries.len()),
            dk: heads(self.dk, |sequence| sequence.keys.len()),
            dv: heads(self.dv, |sequence| sequence.keys.len()),
            d_sinks: self.d_sinks,
        }
    }
}
