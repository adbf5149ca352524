//! RMSNorm as an operation with gradients (Zhang & Sennrich 2019, <https://arxiv.org/abs/1910.07467>):
//! y = x / √(mean(x²) + ε) · gain, row by row.
//!
//! candle's own fused form has no gradient and would drop it silently; its other form is a dozen operations, each of
//! which writes an array as large as x.

use candle_core::{CpuStorage, CustomOp2, Device, Layout, Shape, Tensor, WithDType};
use rayon::prelude::*;

use crate::Error;
use crate::values::with_values;

/// Rows of one task, so that sums over rows are the same on any number of threads.
const ROWS: usize = 64;

/// Norms the rows of `x` \[rows, d\], contiguous, with gains \[d\]; f32 or f64.
///
/// # Errors
/// [`Error::Tensor`] where the shapes do not fit.
pub fn rms_norm(x: &Tensor, gain: &Tensor, eps: f32) -> Result<Tensor, Error> {
    Ok(x.apply_op2(gain, RmsNorm { eps })?)
}

struct RmsNorm {
    eps: f32,
}

/// Numbers that a row is computed in.
trait Number: WithDType + From<f32> {
    fn inverse_root(self) -> Self;
}

impl Number for f32 {
    fn inverse_root(self) -> Self {
        self.sqrt().recip()
    }
}

impl Number for f64 {
    fn inverse_root(self) -> Self {
        self.sqrt().recip()
    }
}

/// Σ a·b in eight sums side by side.
fn dot<T: Number>(a: &[T], b: impl Fn(usize) -> T) -> T {
    const LANES: usize = 8;
    let mut sums = [T::zero(); LANES];
    let whole = a.len() / LANES * LANES;
    for (at, chunk) in a[..whole].chunks_exact(LANES).enumerate() {
        for (lane, (sum, &x)) in sums.iter_mut().zip(chunk).enumerate() {
            *sum += x * b(at * LANES + lane);
        }
    }
    let mut all = T::zero();
    for sum in sums {
        all += sum;
    }
    for at in whole..a.len() {
        all += a[at] * b(at);
    }
    all
}

impl RmsNorm {
    /// 1/√(mean(x²) + ε).
    fn factor<T: Number>(&self, x: &[T]) -> T {
        let mean = dot(x, |at| x[at]) / T::from_f64(x.len() as f64);
        (mean + T::from(self.eps)).inverse_root()
    }

    fn forward<T: Number>(&self, x: &[T], gain: &[T]) -> Vec<T> {
        let mut out = vec![T::zero(); x.len()];
        let d = gain.len();
        out.par_chunks_mut(ROWS * d)
            .zip(x.par_chunks(ROWS * d))
            .for_each(|(out, x)| {
                for (out, x) in out.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
                    let factor = self.factor(x);
                    for ((out, &x), &gain) in out.iter_mut().zip(x).zip(gain) {
                        *out = x * factor * gain;
                    }
                }
            });
        out
    }

    /// dx, where it is asked for, and dgain:
    ///
    /// ```text
    /// r = 1/√(mean(x²) + ε)    dx = r·(dy·gain − x·r²·mean(dy·gain·x))    dgain = Σ_rows dy·x·r
    /// ```
    fn backward<T: Number>(
        &self,
        (x, gain): (&[T], &[T]),
        dy: &[T],
        with_x: bool,
    ) -> (Vec<T>, Vec<T>) {
        let d = gain.len();
        let mut dx = vec![T::zero(); if with_x { x.len() } else { 0 }];
        let parts = x.len().div_ceil((ROWS * d).max(1));
        // One empty piece a part where dx is not asked for.
        let rooms: Vec<&mut [T]> = if with_x {
            dx.chunks_mut(ROWS * d).collect()
        } else {
            (0..parts).map(|_| [].as_mut_slice()).collect()
        };
        let gains: Vec<Vec<T>> = rooms
            .into_par_iter()
            .zip(x.par_chunks(ROWS * d))
            .zip(dy.par_chunks(ROWS * d))
            .map(|((room, x), dy)| self.part((x, gain), dy, room))
            .collect();
        let mut dgain = vec![T::zero(); d];
        for part in gains {
            for (sum, part) in dgain.iter_mut().zip(part) {
                *sum += part;
            }
        }
        (dx, dgain)
    }

    /// Some rows: writes dx where there is room for it, and gives their part of dgain.
    fn part<T: Number>(&self, (x, gain): (&[T], &[T]), dy: &[T], dx: &mut [T]) -> Vec<T> {
        let d = gain.len();
        let mut dgain = vec![T::zero(); d];
        let mut rooms = dx.chunks_exact_mut(d);
        for (x, dy) in x.chunks_exact(d).zip(dy.chunks_exact(d)) {
            let factor = self.factor(x);
            for ((sum, &dy), &x) in dgain.iter_mut().zip(dy).zip(x) {
                *sum += dy * x * factor;
            }
            let Some(dx) = rooms.next() else {
                continue;
            };
            let mean = dot(x, |at| dy[at] * gain[at]) / T::from_f64(d as f64);
            let along = factor * factor * mean;
            for (((dx, &x), &dy), &gain) in dx.iter_mut().zip(x).zip(dy).zip(gain) {
                *dx = factor * (dy * gain - x * along);
            }
        }
        dgain
    }

    fn gradients<T: Number>(
        &self,
        x: &Tensor,
        gain: &Tensor,
        dy: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let with_x = x.track_op();
        let (dx, dgain) = with_values(x, |x: &[T]| {
            with_values(gain, |gain| {
                with_values(dy, |dy| Ok(self.backward((x, gain), dy, with_x)))
            })
        })?;
        let tensor = |values, like: &Tensor| Tensor::from_vec(values, like.shape(), &Device::Cpu);
        let dx = if with_x { Some(tensor(dx, x)?) } else { None };
        Ok((dx, Some(tensor(dgain, gain)?)))
    }
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "RMSNorm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gain: &CpuStorage,
        gain_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (Some((first, end)), Some((gain_first, gain_end))) = (
            x_layout.contiguous_offsets(),
            gain_layout.contiguous_offsets(),
        ) else {
            candle_core::bail!("RMSNorm takes contiguous rows")
        };
        let shape = x_layout.shape();
        if shape.dims2()?.1 != gain_end - gain_first || gain_end == gain_first {
            candle_core::bail!(
                "RMSNorm takes a gain for each column, not {:?} for {shape:?}",
                gain_layout.shape()
            );
        }
        let out = match (x, gain) {
            (CpuStorage::F32(x), CpuStorage::F32(gain)) => {
                CpuStorage::F32(self.forward(&x[first..end], &gain[gain_first..gain_end]))
            }
            (CpuStorage::F64(x), CpuStorage::F64(gain)) => {
                CpuStorage::F64(self.forward(&x[first..end], &gain[gain_first..gain_end]))
            }
            _ => candle_core::bail!("RMSNorm takes f32 or f64"),
        };
        Ok((out, shape.clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gain: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        match x.dtype() {
            candle_core::DType::F64 => self.gradients::<f64>(x, gain, dy),
            _ => self.gradients::<f32>(x, gain, dy),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    #[test]
    fn values_and_gradients_are_those_of_the_formula_operation_by_operation() {
        let var = |shape: &[usize], salt: f64| {
            let count = shape.iter().product::<usize>() as u32;
            let values: Vec<f64> = (0..count)
                .map(|i| (f64::from(i) * 0.7 + salt).sin())
                .collect();
            Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
        };
        // More rows than one task has, columns that are no multiple of the lanes.
        let (x, gain) = (var(&[70, 13], 0.0), var(&[13], 2.0));
        let weight = var(&[70, 13], 1.0);
        let of = |y: &Tensor| {
            let loss = (y * weight.as_tensor()).unwrap().sum_all().unwrap();
            let gradients = loss.backward().unwrap();
            [&x, &gain].map(|var| gradients.get(var).unwrap().clone())
        };
        let fused = rms_norm(&x, &gain, 1e-5).unwrap();
        let plain = candle_nn::ops::rms_norm_slow(&x, &gain, 1e-5).unwrap();
        let pairs = of(&fused)
            .into_iter()
            .zip(of(&plain))
            .chain([(fused, plain)]);
        for (fused, plain) in pairs {
            let difference = (fused - plain).unwrap().abs().unwrap().max_all().unwrap();
            assert!(difference.to_scalar::<f64>().unwrap() < 1e-12);
        }
    }

    #[test]
    fn a_constant_has_no_gradient_and_its_gain_has() {
        let x = Tensor::ones((3, 4), candle_core::DType::F32, &Device::Cpu).unwrap();
        let gain = Var::ones(4, candle_core::DType::F32, &Device::Cpu).unwrap();
        let y = rms_norm(&x, &gain, 1e-5).unwrap();
        let gradients = y.sum_all().unwrap().backward().unwrap();
        assert!(gradients.get(&x).is_none() && gradients.get(&gain).is_some());
    }
}
