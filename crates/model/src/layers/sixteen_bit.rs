//! Matrices of 16-bit floats, for products of a few rows.

use candle_core::quantized::{GgmlDType, QTensor};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;

use super::rows::vectorised;
use crate::Error;

/// Outputs that one task computes. At 576 inputs its weights are 74 kB, some microseconds of reading.
const TASK_OUTPUTS: usize = 64;

/// Weights that are widened at a time: 1 KB of f32, which stays in the L1 cache.
const PIECE: usize = 256;

/// A matrix \[outputs, inputs\] of f16 or bf16, kept as it is stored: half of f32's memory, and of the time to read
/// it. Weights are widened to f32, which is exact, and everything is computed in f32.
pub(crate) struct SixteenBit {
    inputs: usize,
    weights: Weights,
}

enum Weights {
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
}

impl SixteenBit {
    /// Takes over a tensor \[outputs, inputs\] of f16 or bf16.
    pub(super) fn new(tensor: &QTensor) -> Result<Self, Error> {
        let (_, inputs) = tensor.shape().dims2()?;
        let bytes = tensor.data()?;
        let pairs = bytes.as_chunks::<2>().0.iter();
        let weights = match tensor.dtype() {
            GgmlDType::F16 => Weights::F16(pairs.map(|&pair| f16::from_le_bytes(pair)).collect()),
            GgmlDType::BF16 => {
                Weights::Bf16(pairs.map(|&pair| bf16::from_le_bytes(pair)).collect())
            }
            other => {
                let message = format!("expected F16 or BF16 weights, not {other:?}");
                return Err(Error::Tensor(candle_core::Error::Msg(message)));
            }
        };
        Ok(Self { inputs, weights })
    }

    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn outputs(&self) -> usize {
        let entries = match &self.weights {
            Weights::F16(weights) => weights.len(),
            Weights::Bf16(weights) => weights.len(),
        };
        entries / self.inputs
    }

    /// Widens the weights from entry `first` on.
    fn widen(&self, first: usize, out: &mut [f32]) {
        let range = first..first + out.len();
        match &self.weights {
            Weights::F16(weights) => weights[range].convert_to_f32_slice(out),
            Weights::Bf16(weights) => weights[range].convert_to_f32_slice(out),
        }
    }

    /// x·Wᵀ for `x` \[rows, inputs\]: \[rows, outputs\]. Each number is computed by one thread in one order.
    pub(super) fn times(&self, x: &[f32], rows: usize) -> Vec<f32> {
        // [outputs, rows], so that a task's part is one piece.
        let mut products = vec![0.0; self.outputs() * rows];
        products
            .par_chunks_mut(TASK_OUTPUTS * rows)
            .enumerate()
            .for_each(|(task, products)| {
                let outputs = task * TASK_OUTPUTS..;
                for (output, products) in outputs.zip(products.chunks_exact_mut(rows)) {
                    self.product(output, x, products);
                }
            });
        let outputs = self.outputs();
        (0..rows * outputs)
            .map(|at| products[at % outputs * rows + at / outputs])
            .collect()
    }

    /// One output, of every row of `x`: adds to `products` \[rows\].
    fn product(&self, output: usize, x: &[f32], products: &mut [f32]) {
        let mut widened = [0.0; PIECE];
        for start in (0..self.inputs).step_by(PIECE) {
            let end = (start + PIECE).min(self.inputs);
            let weights = &mut widened[..end - start];
            self.widen(output * self.inputs + start, weights);
            vectorised(
                #[inline(always)]
                || {
                    for (product, x) in products.iter_mut().zip(x.chunks_exact(self.inputs)) {
                        *product += dot(weights, &x[start..end]);
                    }
                },
            );
        }
    }

    /// Writes rows of the weights in f32, \[outputs, inputs\], from row `first` on.
    pub(super) fn rows(&self, first: usize, rows: &mut [f32]) {
        self.widen(first * self.inputs, rows);
    }
}

/// Σ w · x, in as many partial sums as two of the widest vectors have lanes.
#[inline(always)]
fn dot(weights: &[f32], x: &[f32]) -> f32 {
    const LANES: usize = 32;
    let mut sums = [0.0_f32; LANES];
    let (weights, weights_left) = weights.as_chunks::<LANES>();
    let (x, x_left) = x.as_chunks::<LANES>();
    for (weights, x) in weights.iter().zip(x) {
        for lane in 0..LANES {
            sums[lane] += weights[lane] * x[lane];
        }
    }
    for (sum, (weight, x)) in sums.iter_mut().zip(weights_left.iter().zip(x_left)) {
        *sum += weight * x;
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn products_are_those_of_the_widened_weights() {
        for dtype in [GgmlDType::F16, GgmlDType::BF16] {
            for (outputs, inputs, rows) in [(1, 1, 1), (65, 96, 1), (70, 300, 3), (3, 513, 2)] {
                let value = |i: usize| ((i * 7919) % 1000) as f32 / 500.0 - 1.0;
                let weights: Vec<f32> = (0..outputs * inputs).map(value).collect();
                let x: Vec<f32> = (0..rows * inputs).map(|i| value(i + 13)).collect();
                let dense = Tensor::from_vec(weights, (outputs, inputs), &Device::Cpu).unwrap();
                let stored = QTensor::quantize(&dense, dtype).unwrap();
                let matrix = SixteenBit::new(&stored).unwrap();
                assert_eq!(matrix.outputs(), outputs);
                let exact = stored.dequantize(&Device::Cpu).unwrap();
                let exact = exact.to_vec2::<f32>().unwrap();
                let mut ours = vec![0.0; outputs * inputs];
                matrix.rows(0, &mut ours);
                assert_eq!(ours, exact.concat());
                for (at, &product) in matrix.times(&x, rows).iter().enumerate() {
                    let (row, output) = (at / outputs, at % outputs);
                    let expected: f64 = (0..inputs)
                        .map(|i| f64::from(exact[output][i]) * f64::from(x[row * inputs + i]))
                        .sum();
                    // Rounding of at most 513 terms below 1, in 32 sums a piece.
                    assert!(
                        (f64::from(product) - expected).abs() < 1e-4,
                        "{product} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn other_types_are_refused() {
        let dense = Tensor::zeros((2, 32), candle_core::DType::F32, &Device::Cpu).unwrap();
        let stored = QTensor::quantize(&dense, GgmlDType::Q8_0).unwrap();
        assert!(SixteenBit::new(&stored).is_err());
    }
}
