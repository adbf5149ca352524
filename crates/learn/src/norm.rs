//! The part of RMSNorm that has no gains, as an operation with its gradient (Zhang & Sennrich 2019,
//! <https://arxiv.org/abs/1910.07467>): y = x / √(mean(x²) + ε), row by row.
//!
//! candle's own fused form has no gradient and would drop it silently; its other form is a dozen operations, each of
//! which writes an array as large as x. The gains are multiplied into the matrix that follows, whose rows they scale,
//! so that nothing has to flow back to rows of a frozen table.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Shape, Tensor, WithDType};
use rayon::prelude::*;

use crate::error::Error;
use crate::values::with_values;

/// Rows of one task.
const ROWS: usize = 64;

/// Norms the rows of `x` \[rows, d\], contiguous, f32 or f64.
///
/// # Errors
/// [`Error::Tensor`] where x is no matrix.
pub fn rms_norm(x: &Tensor, eps: f32) -> Result<Tensor, Error> {
    Ok(x.apply_op1(RmsNorm { eps })?)
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

/// Σ a·b in sixteen sums side by side.
fn dot<T: Number>(a: &[T], b: &[T]) -> T {
    const LANES: usize = 16;
    let mut sums = [T::zero(); LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut all = T::zero();
    for sum in sums {
        all += sum;
    }
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        all += a * b;
    }
    all
}

impl RmsNorm {
    /// 1/√(mean(x²) + ε).
    fn factor<T: Number>(&self, x: &[T]) -> T {
        let mean = dot(x, x) / T::from_f64(x.len() as f64);
        (mean + T::from(self.eps)).inverse_root()
    }

    fn forward<T: Number>(&self, x: &[T], d: usize) -> Vec<T> {
        let mut out = vec![T::zero(); x.len()];
        let rows = out.par_chunks_mut(d).zip(x.par_chunks(d));
        rows.with_min_len(ROWS).for_each(|(out, x)| {
            let factor = self.factor(x);
            for (out, &x) in out.iter_mut().zip(x) {
                *out = x * factor;
            }
        });
        out
    }

    /// dx = r·(dy − x·r²·mean(dy·x)), where r = 1/√(mean(x²) + ε).
    fn backward<T: Number>(&self, x: &[T], dy: &[T], d: usize) -> Vec<T> {
        let mut dx = vec![T::zero(); x.len()];
        let rows = dx.par_chunks_mut(d).zip(x.par_chunks(d));
        let rows = rows.zip(dy.par_chunks(d)).with_min_len(ROWS);
        rows.for_each(|((dx, x), dy)| {
            let factor = self.factor(x);
            let mean = dot(x, dy) / T::from_f64(d as f64);
            let along = factor * factor * mean;
            for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
                *dx = factor * (dy - x * along);
            }
        });
        dx
    }

    fn gradient<T: Number>(&self, x: &Tensor, dy: &Tensor) -> candle_core::Result<Tensor> {
        let d = x.dims2()?.1;
        let dx = with_values(x, |x: &[T]| {
            with_values(dy, |dy| Ok(self.backward(x, dy, d)))
        })?;
        Tensor::from_vec(dx, x.shape(), &Device::Cpu)
    }
}

impl CustomOp1 for RmsNorm {
    fn name(&self) -> &'static str {
        "RMSNorm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (Some((first, end)), (_, d @ 1..)) =
            (layout.contiguous_offsets(), layout.shape().dims2()?)
        else {
            candle_core::bail!("RMSNorm takes contiguous rows that are not empty")
        };
        let out = match x {
            CpuStorage::F32(x) => CpuStorage::F32(self.forward(&x[first..end], d)),
            CpuStorage::F64(x) => CpuStorage::F64(self.forward(&x[first..end], d)),
            _ => candle_core::bail!("RMSNorm takes f32 or f64"),
        };
        Ok((out, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> candle_core::Result<Option<Tensor>> {
        Ok(Some(match x.dtype() {
            candle_core::DType::F64 => self.gradient::<f64>(x, dy)?,
            _ => self.gradient::<f32>(x, dy)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Var};

    use super::*;

    #[test]
    fn values_and_gradients_are_those_of_the_formula_operation_by_operation() {
        let var = |salt: f64| {
            // Columns that are no multiple of the lanes.
            let values: Vec<f64> = (0..70 * 21)
                .map(|i| (f64::from(i) * 0.7 + salt).sin())
                .collect();
            Var::from_tensor(&Tensor::from_vec(values, (70, 21), &Device::Cpu).unwrap()).unwrap()
        };
        let (x, weight) = (var(0.0), var(1.0));
        let of = |y: &Tensor| {
            let loss = (y * weight.as_tensor()).unwrap().sum_all().unwrap();
            loss.backward().unwrap().get(&x).unwrap().clone()
        };
        let fused = rms_norm(&x, 1e-5).unwrap();
        let gains = Tensor::ones(21, DType::F64, &Device::Cpu).unwrap();
        let plain = candle_nn::ops::rms_norm_slow(&x, &gains, 1e-5).unwrap();
        for (fused, plain) in [(of(&fused), of(&plain)), (fused, plain)] {
            let difference = (fused - plain).unwrap().abs().unwrap().max_all().unwrap();
            assert!(difference.to_scalar::<f64>().unwrap() < 1e-12);
        }
    }
}
