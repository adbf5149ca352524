//! Matrices of 8-bit weights, for products of a few rows.

use candle_core::quantized::{GgmlDType, QTensor};
use half::f16;
use rayon::prelude::*;

use super::rows::vectorised;
use crate::Error;

/// Weights that share one scale.
const BLOCK: usize = 32;

/// Outputs that one task computes. At 576 inputs its weights are 37 kB, some microseconds of reading.
const TASK_OUTPUTS: usize = 64;

/// A matrix \[outputs, inputs\] in GGUF's Q8_0: w = scale · q, where 32 neighbours in a row share a scale.
///
/// A product with one row reads each weight once and does little with it, so that memory decides how long it takes;
/// weights of one byte take a quarter of f32's time. Activations stay in f32: the only rounding is the weights' own.
/// candle's quantised products round activations to 8 bits too, and share work among threads that wait by
/// spinning, which stands still where the machine does other work at the same time.
pub(crate) struct EightBit {
    inputs: usize,
    /// \[outputs, inputs / 32\]
    scales: Vec<f32>,
    /// \[outputs, inputs\]
    weights: Vec<i8>,
}

impl EightBit {
    /// Takes the blocks of a Q8_0 tensor \[outputs, inputs\] apart.
    pub(super) fn new(tensor: &QTensor) -> Result<Self, Error> {
        let (_, inputs) = tensor.shape().dims2()?;
        if tensor.dtype() != GgmlDType::Q8_0 {
            let message = format!("expected Q8_0 weights, not {:?}", tensor.dtype());
            return Err(Error::Tensor(candle_core::Error::Msg(message)));
        }
        let bytes = tensor.data()?;
        // A block is its scale as f16, little-endian, and 32 signed bytes.
        let blocks = bytes.as_chunks::<{ 2 + BLOCK }>().0;
        let scales = blocks
            .iter()
            .map(|block| f16::from_le_bytes([block[0], block[1]]).to_f32())
            .collect();
        let weights = blocks
            .iter()
            .flat_map(|block| block[2..].iter().map(|&byte| byte as i8))
            .collect();
        Ok(Self {
            inputs,
            scales,
            weights,
        })
    }

    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn outputs(&self) -> usize {
        self.weights.len() / self.inputs
    }

    /// x·Wᵀ for `x` \[rows, inputs\]: \[rows, outputs\]. Each number is computed by one thread in one order.
    pub(super) fn times(&self, x: &[f32], rows: usize) -> Vec<f32> {
        // [outputs, rows], so that a task's part is one piece.
        let mut products = vec![0.0; self.outputs() * rows];
        products
            .par_chunks_mut(TASK_OUTPUTS * rows)
            .enumerate()
            .for_each(|(task, products)| {
                vectorised(
                    #[inline(always)]
                    || self.products(task * TASK_OUTPUTS, x, rows, products),
                );
            });
        if rows == 1 {
            return products;
        }
        let outputs = self.outputs();
        (0..rows * outputs)
            .map(|at| products[at % outputs * rows + at / outputs])
            .collect()
    }

    /// Outputs from `first` on, of every row of `x`: \[outputs, rows\].
    #[inline(always)]
    fn products(&self, first: usize, x: &[f32], rows: usize, products: &mut [f32]) {
        let blocks = self.inputs / BLOCK;
        for (output, products) in (first..).zip(products.chunks_exact_mut(rows)) {
            let weights = &self.weights[output * self.inputs..][..self.inputs];
            let scales = &self.scales[output * blocks..][..blocks];
            for (product, x) in products.iter_mut().zip(x.chunks_exact(self.inputs)) {
                *product = dot(weights, scales, x);
            }
        }
    }

    /// Writes rows of the weights in f32, \[outputs, inputs\], from row `first` on.
    pub(super) fn rows(&self, first: usize, rows: &mut [f32]) {
        let weights = self.weights[first * self.inputs..].chunks_exact(BLOCK);
        let scales = &self.scales[first * self.inputs / BLOCK..];
        for ((dense, weights), scale) in rows.chunks_exact_mut(BLOCK).zip(weights).zip(scales) {
            for (dense, &weight) in dense.iter_mut().zip(weights) {
                *dense = scale * f32::from(weight);
            }
        }
    }
}

/// Σ scale · q · x, in as many partial sums as the widest vector has lanes.
#[inline(always)]
fn dot(weights: &[i8], scales: &[f32], x: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0_f32; LANES];
    let blocks = weights.as_chunks::<BLOCK>().0.iter();
    for ((weights, x), &scale) in blocks.zip(x.as_chunks::<BLOCK>().0).zip(scales) {
        for lane in 0..LANES {
            let products = f32::from(weights[lane]) * x[lane]
                + f32::from(weights[lane + LANES]) * x[lane + LANES];
            sums[lane] += scale * products;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn products_are_those_of_the_dequantised_weights() {
        for (outputs, inputs, rows) in [(1, 32, 1), (65, 96, 1), (200, 64, 3)] {
            let value = |i: usize| ((i * 7919) % 1000) as f32 / 500.0 - 1.0;
            let weights: Vec<f32> = (0..outputs * inputs).map(value).collect();
            let x: Vec<f32> = (0..rows * inputs).map(|i| value(i + 13)).collect();
            let dense = Tensor::from_vec(weights, (outputs, inputs), &Device::Cpu).unwrap();
            let stored = QTensor::quantize(&dense, GgmlDType::Q8_0).unwrap();
            let matrix = EightBit::new(&stored).unwrap();
            let exact = stored.dequantize(&Device::Cpu).unwrap();
            let exact = exact.to_vec2::<f32>().unwrap();
            for (output, exact) in exact.iter().enumerate() {
                let mut row = vec![0.0; inputs];
                matrix.rows(output, &mut row);
                assert_eq!(&row, exact);
            }
            let products = matrix.times(&x, rows);
            for (at, &product) in products.iter().enumerate() {
                let (row, output) = (at / outputs, at % outputs);
                let expected: f64 = (0..inputs)
                    .map(|i| f64::from(exact[output][i]) * f64::from(x[row * inputs + i]))
                    .sum();
                // Rounding of at most 96 terms below 1.
                assert!(
                    (f64::from(product) - expected).abs() < 1e-4,
                    "{product} {expected}"
                );
            }
        }
    }

    #[test]
    fn other_types_are_refused() {
        let dense = Tensor::zeros((2, 32), candle_core::DType::F32, &Device::Cpu).unwrap();
        let stored = QTensor::quantize(&dense, GgmlDType::Q4_0).unwrap();
        assert!(EightBit::new(&stored).is_err());
    }
}
