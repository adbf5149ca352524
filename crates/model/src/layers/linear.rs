//! Products of activations with weights.

use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{Device, Module, Tensor};
use rayon::prelude::*;

use super::eight_bit::EightBit;
use super::sixteen_bit::SixteenBit;
use super::tensor::read_f32;
use super::weight_types::{WeightNames, WeightTypes};
use crate::checkpoint::Checkpoint;
use crate::{Error, WeightsKind};

/// Rows from which it pays to dequantise a quantised matrix for one product: candle's quantised kernels take a
/// row at a time, and read the whole matrix for each.
const DEQUANTISE_ROWS: usize = 16;

/// A matrix W that activations are multiplied by: y = x·W, \[rows, inputs\] · \[inputs, outputs\].
pub(crate) struct Linear {
    form: Form,
    types: WeightTypes,
    outputs: usize,
}

enum Form {
    /// \[inputs, outputs\], in that order in memory, which the matrix product packs fastest.
    F32(Tensor),
    /// \[outputs, inputs\] in Q8_0, which products of few rows are computed on here.
    EightBit(EightBit),
    /// \[outputs, inputs\] in F16 or BF16, likewise.
    SixteenBit(SixteenBit),
    /// \[outputs, inputs\] in another type, which candle multiplies by.
    Quantized {
        product: QMatMul,
        stored: QTensorRef,
    },
}

type QTensorRef = std::sync::Arc<QTensor>;

impl Linear {
    /// Loads the weights called `names` and puts their outputs side by side.
    pub(crate) fn load(
        checkpoint: &Checkpoint,
        names: WeightNames,
        kind: WeightsKind,
    ) -> Result<Self, Error> {
        let types = WeightTypes::new(checkpoint, names, kind)?;
        let form = match kind {
            WeightsKind::F32 => Form::F32(transposed(checkpoint, names)?),
            WeightsKind::Quantized => Form::quantized(quantized(checkpoint, names, types.dtype)?)?,
        };
        Ok(Self::new(form, types))
    }

    /// Loads one matrix and keeps it in f32 as it is stored, `[outputs, inputs]`: for matrices that are too large
    /// to be worth transposing.
    pub(crate) fn load_as_stored(
        checkpoint: &Checkpoint,
        name: &str,
        kind: WeightsKind,
    ) -> Result<Self, Error> {
        match kind {
            WeightsKind::F32 => {
                let types = WeightTypes::new(checkpoint, &[name.to_owned()], kind)?;
                Ok(Self::new(
                    Form::F32(checkpoint.tensor_f32(name)?.t()?),
                    types,
                ))
            }
            WeightsKind::Quantized => Self::load(checkpoint, &[name.to_owned()], kind),
        }
    }

    fn new(form: Form, types: WeightTypes) -> Self {
        let outputs = match &form {
            Form::F32(w) => w.dims()[1],
            Form::EightBit(w) => w.outputs(),
            Form::SixteenBit(w) => w.outputs(),
            Form::Quantized { stored, .. } => stored.shape().dims()[0],
        };
        Self {
            form,
            types,
            outputs,
        }
    }

    /// Columns of the product.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The form of the weights that is fastest for products of `rows` rows; made once, it serves many products.
    pub(crate) fn for_rows(&self, rows: usize) -> Result<Multiplier<'_>, Error> {
        Ok(match &self.form {
            Form::F32(w) => Multiplier::Dense(w.clone()),
            Form::EightBit(w) if rows >= DEQUANTISE_ROWS => Multiplier::Dense(w.dense()?),
            Form::EightBit(w) => Multiplier::EightBit(w),
            Form::SixteenBit(w) if rows >= DEQUANTISE_ROWS => Multiplier::Dense(w.dense()?),
            Form::SixteenBit(w) => Multiplier::SixteenBit(w),
            Form::Quantized { stored, .. } if rows >= DEQUANTISE_ROWS => {
                Multiplier::Dense(stored.dequantize(&Device::Cpu)?.t()?)
            }
            Form::Quantized { product, .. } => Multiplier::Quantized(product),
        })
    }

    /// The weights as f32 \[inputs, outputs\], whatever their form.
    pub(crate) fn dense(&self) -> Result<Tensor, Error> {
        Ok(match &self.form {
            Form::F32(w) => w.clone(),
            Form::EightBit(w) => w.dense()?,
            Form::SixteenBit(w) => w.dense()?,
            Form::Quantized { stored, .. } => stored.dequantize(&Device::Cpu)?.t()?,
        })
    }

    /// The type that the weights are held in, and those that they are stored in.
    pub(crate) fn weight_types(&self) -> &WeightTypes {
        &self.types
    }
}

impl Form {
    fn quantized(tensor: QTensor) -> Result<Self, Error> {
        match tensor.dtype() {
            GgmlDType::Q8_0 => Ok(Form::EightBit(EightBit::new(&tensor)?)),
            GgmlDType::F16 | GgmlDType::BF16 => Ok(Form::SixteenBit(SixteenBit::new(&tensor)?)),
            _ => {
                let stored = std::sync::Arc::new(tensor);
                let product = QMatMul::from_arc(stored.clone())?;
                Ok(Form::Quantized { product, stored })
            }
        }
    }
}

/// Weights in the form in which they are multiplied by.
pub(crate) enum Multiplier<'a> {
    Dense(Tensor),
    EightBit(&'a EightBit),
    SixteenBit(&'a SixteenBit),
    Quantized(&'a QMatMul),
}

impl Multiplier<'_> {
    /// x·W for `x` of `rows` rows.
    pub(crate) fn times(&self, x: Vec<f32>, rows: usize) -> Result<Product, Error> {
        let inputs = x.len() / rows;
        let tensor = |x| Tensor::from_vec(x, (rows, inputs), &Device::Cpu);
        Ok(match self {
            Multiplier::Dense(w) => Product::Tensor(tensor(x)?.matmul(w)?),
            Multiplier::EightBit(w) => Product::Rows(w.times(&x, rows)),
            Multiplier::SixteenBit(w) => Product::Rows(w.times(&x, rows)),
            Multiplier::Quantized(w) => Product::Tensor(w.forward(&tensor(x)?)?),
        })
    }
}

/// What a product gave: row-major \[rows, outputs\].
pub(crate) enum Product {
    Tensor(Tensor),
    Rows(Vec<f32>),
}

impl Product {
    /// Lets `f` read the numbers where they are.
    pub(crate) fn read<R>(&self, f: impl FnOnce(&[f32]) -> R) -> Result<R, Error> {
        match self {
            Product::Tensor(tensor) => read_f32(tensor, f),
            Product::Rows(rows) => Ok(f(rows)),
        }
    }
}

/// The named weights as one matrix \[inputs, Σ outputs\].
fn transposed(checkpoint: &Checkpoint, names: WeightNames) -> Result<Tensor, Error> {
    let mut shapes = Vec::with_capacity(names.len());
    for name in names {
        shapes.push(checkpoint.shape(name)?);
    }
    let outputs: usize = shapes.iter().map(|shape| shape[0]).sum();
    let inputs = shapes.first().map_or(0, |shape| shape[1]);
    let mut all = vec![0.0; inputs * outputs];
    let mut column = 0;
    for name in names {
        let weights = checkpoint.tensor_f32(name)?;
        let columns = weights.dims()[0];
        read_f32(&weights, |weights| {
            transpose_into(weights, inputs, &mut all, outputs, column);
        })?;
        column += columns;
    }
    Ok(Tensor::from_vec(all, (inputs, outputs), &Device::Cpu)?)
}

/// Copies `from` \[rows, columns\] into columns `first…` of `to` \[columns, width\], transposed.
fn transpose_into(from: &[f32], columns: usize, to: &mut [f32], width: usize, first: usize) {
    /// Tiles of 32×32: 4 KB read and 4 KB written, within the L1 cache.
    const TILE: usize = 32;
    let rows = from.len() / columns;
    to.par_chunks_mut(TILE * width)
        .enumerate()
        .for_each(|(tile, to)| {
            for row_tile in (0..rows).step_by(TILE) {
                for (c, to) in to.chunks_exact_mut(width).enumerate() {
                    let column = tile * TILE + c;
                    let row_end = (row_tile + TILE).min(rows);
                    for (row, to) in (row_tile..row_end).zip(&mut to[first + row_tile..]) {
                        *to = from[row * columns + column];
                    }
                }
            }
        });
}

/// The named weights as one matrix \[Σ outputs, inputs\] of the type `dtype`: those of another type are requantised.
fn quantized(
    checkpoint: &Checkpoint,
    names: WeightNames,
    dtype: GgmlDType,
) -> Result<QTensor, Error> {
    let mut parts = Vec::with_capacity(names.len());
    for name in names {
        parts.push(checkpoint.quantized(name)?);
    }
    let (outputs, inputs) = (
        parts
            .iter()
            .map(|part| part.shape().dims()[0])
            .sum::<usize>(),
        parts.first().map_or(0, |part| part.shape().dims()[1]),
    );
    let mut bytes = Vec::new();
    for part in parts {
        let part = if part.dtype() == dtype {
            part
        } else {
            QTensor::quantize(&part.dequantize(&Device::Cpu)?, dtype)?
        };
        bytes.extend_from_slice(&part.data()?);
    }
    let storage = QStorage::from_data(bytes.into(), &Device::Cpu, dtype)?;
    Ok(QTensor::new(storage, (outputs, inputs))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposition_puts_blocks_side_by_side() {
        let (inputs, left, right) = (70, 33, 5);
        let value = |output: usize, input: usize| (output * 1000 + input) as f32;
        let block = |outputs: std::ops::Range<usize>| -> Vec<f32> {
            outputs
                .flat_map(|o| (0..inputs).map(move |i| value(o, i)))
                .collect()
        };
        let mut all = vec![0.0; inputs * (left + right)];
        transpose_into(&block(0..left), inputs, &mut all, left + right, 0);
        transpose_into(
            &block(left..left + right),
            inputs,
            &mut all,
            left + right,
            left,
        );
        for input in 0..inputs {
            for output in 0..left + right {
                assert_eq!(all[input * (left + right) + output], value(output, input));
            }
        }
    }
}
