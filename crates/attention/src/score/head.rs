//! One head's options, as the kernels use them.

use std::f32::consts::LOG2_E;

use lookback_simd::Line;
use ndarray::ArrayView2;

use crate::shape::Shape;
use crate::{Error, Mask, Scoring};

/// The scoring of one batch element and query head, in log₂ units.
#[derive(Debug, Clone)]
pub(crate) struct HeadScoring<'a> {
    /// What the queries are multiplied by when packed: scale · log₂e, or scale / cap under a soft cap.
    pub(crate) factor: f32,
    /// Soft cap · log₂e; the packed queries' product is already divided by the cap.
    pub(crate) cap: Option<f32>,
    /// ALiBi slope · log₂e.
    pub(crate) slope: Option<f32>,
    /// \[N, M\]: additive bias, in natural units.
    pub(crate) bias: Option<ArrayView2<'a, f32>>,
    /// The sink's logit · log₂e; −∞ without one.
    pub(crate) sink: f64,
    /// Which keys a query may see.
    pub(crate) mask: Mask,
    /// Keys that are real.
    pub(crate) keys: usize,
}

impl<'a> HeadScoring<'a> {
    /// Resolves validated options for head `h` of batch element `b`.
    pub(crate) fn new(
        scoring: &'a Scoring,
        shape: &Shape,
        b: usize,
        h: usize,
    ) -> Result<HeadScoring<'a>, Error> {
        let scale = scoring.scale_for(shape.d_k)?;
        Ok(HeadScoring {
            factor: scoring.soft_cap.map_or(scale * LOG2_E, |cap| scale / cap),
            cap: scoring.soft_cap.map(|cap| cap * LOG2_E),
            slope: scoring.alibi.as_ref().map(|slopes| slopes[h] * LOG2_E),
            bias: scoring.bias_of_head(shape, b, h),
            sink: scoring.sink(h) * std::f64::consts::LOG2_E,
            mask: scoring.mask.clone(),
            keys: scoring.key_length(b, shape.m),
        })
    }

    /// Resolves validated options for every head, `[B][H]`.
    pub(crate) fn of_batch(
        scoring: &'a Scoring,
        shape: &Shape,
    ) -> Result<Vec<HeadScoring<'a>>, Error> {
        (0..shape.b * shape.h)
            .map(|at| HeadScoring::new(scoring, shape, at / shape.h, at % shape.h))
            .collect()
    }

    /// Whether a score needs more than its product.
    #[inline(always)]
    pub(crate) fn has_options(&self) -> bool {
        self.cap.is_some() || self.slope.is_some() || self.bias.is_some()
    }

    /// How far key `j` stands after query `i`, negative before it.
    #[inline(always)]
    pub(crate) fn distance(&self, i: usize, j: usize) -> f32 {
        let position = (i as isize).saturating_add(self.mask.offset());
        (j as isize).saturating_sub(position) as f32
    }

    /// The bias of query `i` for the keys `j`, …, `j + 15`; 0 beyond its last row or column, or without one.
    pub(crate) fn bias_line(&self, i: usize, j: usize) -> Line {
        let mut line = Line::ZERO;
        if let Some(bias) = &self.bias
            && i < bias.nrows()
        {
            let row = bias.row(i);
            for (x, &value) in line.0.iter_mut().zip(row.iter().skip(j)) {
                *x = value;
            }
        }
        line
    }
}
