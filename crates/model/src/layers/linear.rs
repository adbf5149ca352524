//! Products of activations with weights.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{Device, Module, Tensor};
use ndarray::Array2;

use super::eight_bit::EightBit;
use super::packed::Packed;
use super::sixteen_bit::SixteenBit;
use super::tensor::read_f32;
use super::weight_types::{WeightNames, WeightTypes};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::weights::Weights;
use crate::{Error, WeightsKind};

/// Rows from which it pays to dequantise a quantised matrix for one product: the kernels for quantised weights take a
/// row at a time, and read the whole matrix for each.
const DEQUANTISE_ROWS: usize = 16;

/// A matrix W that activations are multiplied by: y = x·W, \[rows, inputs\] · \[inputs, outputs\].
pub(crate) struct Linear {
    form: Form,
    types: WeightTypes,
    outputs: usize,
}

enum Form {
    /// In f32, as the microkernel reads it.
    F32(Packed),
    /// \[outputs, inputs\] in Q8_0, which products of few rows are computed on here.
    EightBit(EightBit),
    /// \[outputs, inputs\] in F16 or BF16, likewise.
    SixteenBit(SixteenBit),
    /// Left in the file as it is stored, and widened to f32 for each use.
    Stored {
        weights: Arc<Weights>,
        names: Vec<String>,
        outputs: usize,
    },
    /// \[outputs, inputs\] in another type, which candle multiplies by.
    Quantized {
        product: QMatMul,
        stored: QTensorRef,
    },
}

type QTensorRef = Arc<QTensor>;

impl Linear {
    /// Loads the weights called `names` and puts their outputs side by side.
    pub(crate) fn load(
        checkpoint: &Checkpoint,
        names: WeightNames,
        kind: WeightsKind,
    ) -> Result<Self, Error> {
        let types = WeightTypes::new(checkpoint, names, kind)?;
        let form = match kind {
            WeightsKind::F32 => Form::F32(packed(checkpoint.weights(), names)?),
            WeightsKind::Quantized => Form::quantized(quantized(checkpoint, names, types.dtype)?)?,
        };
        Ok(Self::new(form, types))
    }

    /// Leaves the weights called `names` in the file and widens them for each use: for matrices that are many and seldom used, as
    /// those of experts.
    pub(crate) fn leave_stored(checkpoint: &Checkpoint, names: WeightNames) -> Result<Self, Error> {
        let types = WeightTypes::new(checkpoint, names, WeightsKind::F32)?;
        let mut outputs = 0;
        for name in names {
            outputs += checkpoint.shape(name)?[0];
        }
        let form = Form::Stored {
            weights: checkpoint.weights().clone(),
            names: names.to_vec(),
            outputs,
        };
        Ok(Self::new(form, types))
    }

    fn new(form: Form, types: WeightTypes) -> Self {
        let outputs = match &form {
            Form::F32(w) => w.outputs(),
            Form::EightBit(w) => w.outputs(),
            Form::SixteenBit(w) => w.outputs(),
            Form::Stored { outputs, .. } => *outputs,
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
            Form::F32(w) => Multiplier::Packed(w),
            Form::EightBit(w) if rows < DEQUANTISE_ROWS => Multiplier::EightBit(w),
            Form::SixteenBit(w) if rows < DEQUANTISE_ROWS => Multiplier::SixteenBit(w),
            Form::Quantized { product, .. } if rows < DEQUANTISE_ROWS => {
                Multiplier::Quantized(product)
            }
            other => Multiplier::Widened(other.packed()?),
        })
    }

    /// The weights as f32 \[inputs, outputs\], whatever their form.
    pub(crate) fn dense(&self) -> Result<Array2<f32>, Error> {
        Ok(match &self.form {
            Form::F32(w) => w.dense(),
            other => other.packed()?.dense(),
        })
    }

    /// The type that the weights are held in, and those that they are stored in.
    pub(crate) fn weight_types(&self) -> &WeightTypes {
        &self.types
    }
}

impl Form {
    /// Weights of another type, in f32.
    fn packed(&self) -> Result<Packed, Error> {
        match self {
            Form::F32(_) => unreachable!("they are packed already"),
            Form::EightBit(w) => Packed::new((w.inputs(), w.outputs()), |first, rows| {
                w.rows(first, rows);
                Ok(())
            }),
            Form::SixteenBit(w) => Packed::new((w.inputs(), w.outputs()), |first, rows| {
                w.rows(first, rows);
                Ok(())
            }),
            Form::Stored { weights, names, .. } => packed(weights, names),
            Form::Quantized { stored, .. } => {
                let dense = stored.dequantize(&Device::Cpu)?;
                let (outputs, inputs) = dense.dims2()?;
                read_f32(&dense, |dense| {
                    Packed::new((inputs, outputs), |first, rows| {
                        rows.copy_from_slice(&dense[first * inputs..][..rows.len()]);
                        Ok(())
                    })
                })?
            }
        }
    }

    fn quantized(tensor: QTensor) -> Result<Self, Error> {
        match tensor.dtype() {
            GgmlDType::Q8_0 => Ok(Form::EightBit(EightBit::new(&tensor)?)),
            GgmlDType::F16 | GgmlDType::BF16 => Ok(Form::SixteenBit(SixteenBit::new(&tensor)?)),
            _ => {
                let stored = Arc::new(tensor);
                let product = QMatMul::from_arc(stored.clone())?;
                Ok(Form::Quantized { product, stored })
            }
        }
    }
}

/// Weights in the form in which they are multiplied by.
pub(crate) enum Multiplier<'a> {
    Packed(&'a Packed),
    Widened(Packed),
    EightBit(&'a EightBit),
    SixteenBit(&'a SixteenBit),
    Quantized(&'a QMatMul),
}

impl Multiplier<'_> {
    /// x·W for `x` of `rows` rows.
    pub(crate) fn times(&self, x: &[f32], rows: usize) -> Result<Product, Error> {
        Ok(match self {
            Multiplier::Packed(w) => Product::Rows(w.times(x, rows)),
            Multiplier::Widened(w) => Product::Rows(w.times(x, rows)),
            Multiplier::EightBit(w) => Product::Rows(w.times(x, rows)),
            Multiplier::SixteenBit(w) => Product::Rows(w.times(x, rows)),
            Multiplier::Quantized(w) => {
                let x = Tensor::from_slice(x, (rows, x.len() / rows), &Device::Cpu)?;
                Product::Tensor(w.forward(&x)?)
            }
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

/// The named weights side by side, packed from the files.
fn packed(weights: &Weights, names: WeightNames) -> Result<Packed, Error> {
    let mut ends = Vec::with_capacity(names.len());
    let (mut outputs, mut inputs) = (0, 0);
    for name in names {
        let shape = &weights.get(name)?.shape;
        (outputs, inputs) = (outputs + shape[0], shape[1]);
        ends.push(outputs);
    }
    Packed::new((inputs, outputs), |mut first, mut rows| {
        while !rows.is_empty() {
            let of = ends.partition_point(|&end| end <= first);
            let here = (ends[of] - first).min(rows.len() / inputs);
            let (now, later) = rows.split_at_mut(here * inputs);
            let begin = of.checked_sub(1).map_or(0, |before| ends[before]);
            weights.rows_into(&names[of], first - begin, now)?;
            (first, rows) = (first + here, later);
        }
        Ok(())
    })
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
