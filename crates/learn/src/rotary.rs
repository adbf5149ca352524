//! Rotary position embedding as an operation with gradients (Su et al. 2021, <https://arxiv.org/abs/2104.09864>),
//! half-split: entries c and c + d_k/2 of a head turn by the position times θ^(−2c/d_k).
//!
//! A rotation's gradient is the rotation back. candle's own fused form has none and would drop it silently.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor, WithDType};
use lookback_model::spec::Rope;
use rayon::prelude::*;

use crate::error::Error;

/// Rows that are worth a task of their own.
const ROWS: usize = 64;

/// Angles of a list of positions.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Cosines and sines, \[positions, d_k / 2\].
    angles: Arc<Vec<(f32, f32)>>,
    half: usize,
    /// −1 to turn back.
    sign: f32,
}

impl Rotation {
    /// Angles for tokens at `positions`, for heads of `d_k` entries.
    #[must_use]
    pub fn new(theta: f32, d_k: usize, positions: impl IntoIterator<Item = usize>) -> Self {
        let frequencies = Rope::plain(theta, d_k).frequencies(0);
        let angles = positions.into_iter().flat_map(|position| {
            // Rounded to f32 as where the model is run.
            let angle = move |frequency: &f32| f64::from(position as f32 * frequency);
            frequencies
                .iter()
                .map(move |f| (angle(f).cos() as f32, angle(f).sin() as f32))
                .collect::<Vec<_>>()
        });
        Self {
            angles: Arc::new(angles.collect()),
            half: d_k / 2,
            sign: 1.0,
        }
    }

    /// Turns the heads of `x`, \[tokens, H·d_k\] and contiguous, one row a position.
    ///
    /// # Errors
    /// [`Error::Size`] where there are more or fewer rows than positions.
    pub fn turn(&self, x: &Tensor) -> Result<Tensor, Error> {
        let (rows, positions) = (x.dim(0)?, self.angles.len() / self.half);
        if rows != positions {
            return Err(Error::Size {
                what: "the number of rows to turn",
                found: rows,
                expected: positions,
            });
        }
        Ok(x.contiguous()?.apply_op1(self.clone())?)
    }

    fn apply<T>(&self, x: &[T], width: usize) -> Vec<T>
    where
        T: WithDType + From<f32>,
    {
        let mut out = vec![T::zero(); x.len()];
        let rows = out
            .par_chunks_mut(width)
            .zip(x.par_chunks(width))
            .zip(self.angles.par_chunks(self.half));
        rows.with_min_len(ROWS).for_each(|((out, x), angles)| {
            let heads = out.chunks_exact_mut(2 * self.half);
            for (out, x) in heads.zip(x.chunks_exact(2 * self.half)) {
                self.turn_head(out, x, angles);
            }
        });
        out
    }

    fn turn_head<T>(&self, out: &mut [T], x: &[T], angles: &[(f32, f32)])
    where
        T: WithDType + From<f32>,
    {
        let (out_low, out_high) = out.split_at_mut(self.half);
        let (low, high) = x.split_at(self.half);
        let to = out_low.iter_mut().zip(out_high);
        for (((to_low, to_high), (&low, &high)), &(cos, sin)) in
            to.zip(low.iter().zip(high)).zip(angles)
        {
            let (cos, sin) = (T::from(cos), T::from(self.sign * sin));
            *to_low = low * cos - high * sin;
            *to_high = high * cos + low * sin;
        }
    }
}

impl CustomOp1 for Rotation {
    fn name(&self) -> &'static str {
        "rotary position embedding"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("rotary position embedding takes contiguous rows")
        };
        let width = layout.shape().dims2()?.1;
        let rotated = match x {
            CpuStorage::F32(x) => CpuStorage::F32(self.apply(&x[start..end], width)),
            CpuStorage::F64(x) => CpuStorage::F64(self.apply(&x[start..end], width)),
            _ => candle_core::bail!("rotary position embedding takes f32 or f64"),
        };
        Ok((rotated, layout.shape().clone()))
    }

    fn bwd(
        &self,
        _x: &Tensor,
        _rotated: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let back = Self {
            sign: -self.sign,
            ..self.clone()
        };
        Ok(Some(gradient.contiguous()?.apply_op1(back)?))
    }
}
