//! Tensors by name, in memory-mapped files.

use std::collections::HashMap;
use std::ops::Range;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::decode::{candle_blocks, decode, first_not_finite};
use super::low_rank::Update;
use super::map::MappedFile;
use super::{Error, StoredType};

/// Entries that a task decodes at a time: 64 KiB of f32, so that they stay in the L2 cache
/// between decoding, the check that they are finite, and the copy into the tensor.
const TASK_ENTRIES: usize = 16 * 1024;

/// All tensors of a checkpoint.
pub(crate) struct Weights {
    files: Vec<MappedFile>,
    tensors: HashMap<String, StoredTensor>,
}

/// Where a tensor's numbers stand.
#[derive(Debug, Clone)]
pub(crate) struct StoredTensor {
    /// Index of its file.
    pub(crate) file: usize,
    /// Bytes of that file, as many as shape and type ask for.
    pub(crate) bytes: Range<usize>,
    /// Where the scales of its blocks stand, in the same order, where the type has them in another place.
    pub(crate) scales: Option<Scales>,
    pub(crate) dtype: StoredType,
    /// Slowest dimension first.
    pub(crate) shape: Vec<usize>,
    pub(crate) order: Order,
    /// What an adapter adds to it.
    pub(crate) update: Option<Update>,
}

/// Where the scales of a tensor's blocks stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scales {
    /// Index of their file.
    pub(crate) file: usize,
    /// Bytes of that file.
    pub(crate) bytes: Range<usize>,
}

/// In which order a tensor's rows stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    AsStored,
    /// The two halves of each head's rows are interleaved, as GGUF stores W_q and W_k of the
    /// Llama family: row c of half s of a head stands at 2c + s.
    InterleavedHalves {
        head_dim: usize,
    },
    /// Of each `stride` rows these are the `rows` ones from `first` on: a block of each key/value head.
    BlockOfEachHead {
        rows: usize,
        first: usize,
        stride: usize,
    },
    /// Row r stands at 2r + `first`: two matrices' rows in turn.
    EveryOther {
        first: usize,
    },
    /// Row r is column `first + r · step` of a stored matrix of `width` columns.
    Transposed {
        first: usize,
        width: usize,
        step: usize,
    },
}

impl Order {
    /// Where row `row` stands in the file, among rows that are stored as such.
    fn stored(self, row: usize) -> usize {
        match self {
            Order::AsStored | Order::Transposed { .. } => row,
            Order::InterleavedHalves { head_dim } => {
                let (head, within) = (row / head_dim, row % head_dim);
                let (half, column) = (within / (head_dim / 2), within % (head_dim / 2));
                head * head_dim + 2 * column + half
            }
            Order::EveryOther { first } => 2 * row + first,
            Order::BlockOfEachHead {
                rows,
                first,
                stride,
            } => row / rows * stride + first + row % rows,
        }
    }
}

impl Order {
    /// Which row of the whole weight, `[out, in]`, row `row` is, counted from the tensor's first.
    fn whole_row(self, row: usize) -> usize {
        match self {
            Order::Transposed { first, step, .. } => first + row * step,
            order => order.stored(row),
        }
    }
}

impl StoredTensor {
    /// One in f32, its rows as they are.
    pub(crate) fn new(file: usize, bytes: Range<usize>, shape: Vec<usize>) -> Self {
        Self {
            file,
            bytes,
            scales: None,
            dtype: StoredType::F32,
            shape,
            order: Order::AsStored,
            update: None,
        }
    }

    /// Of the `of` equal parts that the tensor's rows are in, `count` from `first` on. The shape stays to be said.
    pub(crate) fn parts(&self, first: usize, count: usize, of: usize) -> Self {
        let cut = |bytes: &Range<usize>| {
            let part = bytes.len() / of;
            bytes.start + first * part..bytes.start + (first + count) * part
        };
        let (_, rows) = self.shape.split_last().unwrap_or((&1, &[]));
        let before = first * rows.iter().product::<usize>() / of;
        Self {
            update: (self.update.as_ref()).map(|update| update.beginning_at(before)),
            bytes: cut(&self.bytes),
            scales: self.scales.as_ref().map(|scales| Scales {
                bytes: cut(&scales.bytes),
                ..*scales
            }),
            ..self.clone()
        }
    }

    /// Entries a row; a vector is one row, unless its entries stand in another order.
    fn columns(&self) -> usize {
        match self.shape[..] {
            [_] if self.order != Order::AsStored => 1,
            _ => self.shape.last().copied().unwrap_or(1),
        }
    }

    fn row_bytes(&self) -> usize {
        self.dtype.stored_size(self.columns())
    }
}

impl Weights {
    pub(crate) fn new(files: Vec<MappedFile>, tensors: HashMap<String, StoredTensor>) -> Self {
        Self { files, tensors }
    }

    pub(crate) fn into_parts(self) -> (Vec<MappedFile>, HashMap<String, StoredTensor>) {
        (self.files, self.tensors)
    }

    /// The files, in order.
    pub(crate) fn files(&self) -> impl Iterator<Item = &MappedFile> {
        self.files.iter().filter(|file| file.is_file())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor by its name, in a file that is still what it was.
    pub(crate) fn get(&self, name: &str) -> Result<&StoredTensor, Error> {
        let tensor = self.tensors.get(name).ok_or_else(|| Error::MissingTensor {
            name: name.to_owned(),
        })?;
        self.files[tensor.file].check_unchanged()?;
        if let Some(scales) = &tensor.scales {
            self.files[scales.file].check_unchanged()?;
        }
        Ok(tensor)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    fn bytes(&self, tensor: &StoredTensor) -> &[u8] {
        &self.files[tensor.file].bytes()[tensor.bytes.clone()]
    }

    /// The bytes of `rows` as they are stored, and of their scales.
    fn stored_rows(&self, tensor: &StoredTensor, rows: Range<usize>) -> (&[u8], &[u8]) {
        let (size, bytes) = (tensor.row_bytes(), self.bytes(tensor));
        let scales = tensor.scales.as_ref().map_or(&[][..], |scales| {
            let size = tensor.dtype.scales_size(tensor.columns());
            let all = &self.files[scales.file].bytes()[scales.bytes.clone()];
            &all[rows.start * size..rows.end * size]
        });
        (&bytes[rows.start * size..rows.end * size], scales)
    }

    /// A whole tensor as f32, decoded in parallel.
    pub(crate) fn tensor_f32(&self, name: &str) -> Result<Tensor, Error> {
        let tensor = self.get(name)?;
        let mut values = vec![0.0; tensor.shape.iter().product()];
        let task_rows = (TASK_ENTRIES / tensor.columns()).max(1);
        let problem = values
            .par_chunks_mut(task_rows * tensor.columns())
            .enumerate()
            .find_map_first(|(task, out)| {
                self.decode_rows(name, tensor, task * task_rows, out).err()
            });
        match problem {
            Some(error) => Err(error),
            None => Ok(Tensor::from_vec(
                values,
                tensor.shape.as_slice(),
                &Device::Cpu,
            )?),
        }
    }

    /// Decodes as many rows as `out` holds, from row `first` on, with what an adapter adds to them.
    fn decode_rows(
        &self,
        name: &str,
        tensor: &StoredTensor,
        first: usize,
        out: &mut [f32],
    ) -> Result<(), Error> {
        self.decode_stored(name, tensor, first, out)?;
        let Some(update) = &tensor.update else {
            return Ok(());
        };
        let columns = tensor.columns();
        for (row, out) in (first..).zip(out.chunks_exact_mut(columns)) {
            update.add(tensor.order.whole_row(row), out);
        }
        match first_not_finite(out) {
            Some(index) => Err(Error::NotFinite {
                name: name.to_owned(),
                value: out[index],
                index: first * columns + index,
            }),
            None => Ok(()),
        }
    }

    fn decode_stored(
        &self,
        name: &str,
        tensor: &StoredTensor,
        first: usize,
        out: &mut [f32],
    ) -> Result<(), Error> {
        let columns = tensor.columns();
        let not_finite = |start: usize, out: &[f32], index: usize| Error::NotFinite {
            name: name.to_owned(),
            value: out[index],
            index: start * columns + index,
        };
        if let Order::Transposed {
            first: column,
            width,
            step,
        } = tensor.order
        {
            let bytes = self.bytes(tensor);
            let place = Columns {
                first: column + first * step,
                width,
                step,
            };
            return transposed_rows(tensor.dtype, bytes, place, columns, out)
                .map_err(|index| not_finite(first, out, index));
        }
        if tensor.order == Order::AsStored {
            let rows = out.len() / columns;
            let (bytes, scales) = self.stored_rows(tensor, first..first + rows);
            return decode(tensor.dtype, bytes, scales, out)
                .map_err(|index| not_finite(first, out, index));
        }
        for (row, out) in (first..).zip(out.chunks_exact_mut(columns)) {
            let stored = tensor.order.stored(row);
            let (bytes, scales) = self.stored_rows(tensor, stored..stored + 1);
            decode(tensor.dtype, bytes, scales, out)
                .map_err(|index| not_finite(row, out, index))?;
        }
        Ok(())
    }

    /// Writes consecutive rows of a matrix in f32, from row `first` on.
    pub(crate) fn rows_into(&self, name: &str, first: usize, out: &mut [f32]) -> Result<(), Error> {
        self.decode_rows(name, self.get(name)?, first, out)
    }

    /// Rows `ids` of a matrix as f32.
    pub(crate) fn rows_f32(&self, name: &str, ids: &[u32]) -> Result<Tensor, Error> {
        let tensor = self.get(name)?;
        let (rows, columns) = (tensor.shape[0], tensor.columns());
        let mut values = vec![0.0; ids.len() * columns];
        for (&id, out) in ids.iter().zip(values.chunks_exact_mut(columns)) {
            let row = id as usize;
            if tensor.shape.len() != 2 || row >= rows {
                return Err(Error::RowOutOfRange {
                    name: name.to_owned(),
                    row: id,
                    rows,
                });
            }
            self.decode_rows(name, tensor, row, out)?;
        }
        Ok(Tensor::from_vec(
            values,
            (ids.len(), columns),
            &Device::Cpu,
        )?)
    }

    /// Whether two tensors hold the same numbers in the same shape, whatever types they are stored in. A number that is not finite is
    /// refused.
    pub(crate) fn same_numbers(&self, one: &str, other: &str) -> Result<bool, Error> {
        let (a, b) = (self.get(one)?, self.get(other)?);
        if a.shape != b.shape {
            return Ok(false);
        }
        let is_plain = |tensor: &StoredTensor| tensor.scales.is_none() && tensor.update.is_none();
        let plain = is_plain(a) && is_plain(b);
        let alike = (a.dtype, a.order) == (b.dtype, b.order);
        if plain && alike && self.bytes(a) == self.bytes(b) {
            return Ok(true);
        }
        let rows = a.shape.iter().product::<usize>() / a.columns();
        let at_a_time = (TASK_ENTRIES / a.columns()).max(1);
        let mut values = [0, 1].map(|_| vec![0.0; at_a_time * a.columns()]);
        for first in (0..rows).step_by(at_a_time) {
            let len = at_a_time.min(rows - first) * a.columns();
            for ((name, tensor), values) in [(one, a), (other, b)].into_iter().zip(&mut values) {
                self.decode_rows(name, tensor, first, &mut values[..len])?;
            }
            if values[0][..len] != values[1][..len] {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A matrix in its stored type, after a check that all its entries are finite; in f32 where candle has not that
    /// type, or an adapter adds to it.
    pub(crate) fn quantized(&self, name: &str) -> Result<QTensor, Error> {
        let tensor = self.get(name)?;
        let stored = tensor.dtype.candle().filter(|_| tensor.update.is_none());
        let Some(dtype) = stored else {
            return Ok(QTensor::quantize(&self.tensor_f32(name)?, GgmlDType::F32)?);
        };
        self.check_finite(name, tensor)?;
        let bytes = self.bytes(tensor);
        let blocks = if tensor.order == Order::AsStored {
            candle_blocks(dtype, bytes)
        } else {
            candle_blocks(dtype, &in_order(tensor, bytes))
        };
        Ok(QTensor::new(
            QStorage::Cpu(blocks),
            tensor.shape.as_slice(),
        )?)
    }

    fn check_finite(&self, name: &str, tensor: &StoredTensor) -> Result<(), Error> {
        let columns = tensor.columns();
        let rows = tensor.shape.iter().product::<usize>() / columns;
        let task_rows = (TASK_ENTRIES / columns).max(1);
        let problem = (0..rows.div_ceil(task_rows))
            .into_par_iter()
            .find_map_first(|task| {
                let first = task * task_rows;
                let mut out = vec![0.0; task_rows.min(rows - first) * columns];
                self.decode_rows(name, tensor, first, &mut out).err()
            });
        problem.map_or(Ok(()), Err)
    }
}

/// A matrix's bytes in the order of its rows.
fn in_order(tensor: &StoredTensor, bytes: &[u8]) -> Vec<u8> {
    let rows = tensor.shape[0];
    let mut ordered = Vec::with_capacity(rows * tensor.row_bytes());
    for row in 0..rows {
        if let Order::Transposed { first, width, step } = tensor.order {
            let size = tensor.dtype.type_size();
            for column in 0..tensor.columns() {
                let start = (column * width + first + row * step) * size;
                ordered.extend_from_slice(&bytes[start..start + size]);
            }
        } else {
            let start = tensor.order.stored(row) * tensor.row_bytes();
            ordered.extend_from_slice(&bytes[start..start + tensor.row_bytes()]);
        }
    }
    ordered
}

/// Columns of a stored matrix of `width` columns: every `step`-th from `first` on.
struct Columns {
    first: usize,
    width: usize,
    step: usize,
}

/// Decodes rows of `columns` entries that stand in the file as columns. Only types without blocks are stored so.
///
/// # Errors
/// The index into `out` of an entry that is NaN or infinite, or stands beside one.
fn transposed_rows(
    dtype: StoredType,
    bytes: &[u8],
    place: Columns,
    columns: usize,
    out: &mut [f32],
) -> Result<(), usize> {
    let rows = out.len() / columns;
    let size = dtype.type_size();
    let mut part = vec![0.0; (rows - 1) * place.step + 1];
    for column in 0..columns {
        let start = (column * place.width + place.first) * size;
        let found = decode(
            dtype,
            &bytes[start..start + part.len() * size],
            &[],
            &mut part,
        );
        for (row, &value) in part.iter().step_by(place.step).enumerate() {
            out[row * columns + column] = value;
        }
        found.map_err(|entry| entry / place.step * columns + column)?;
    }
    Ok(())
}
