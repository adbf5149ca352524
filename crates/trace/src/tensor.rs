//! One tensor of a trace, owned or mapped, read head by head.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use half::{bf16, f16};
use ndarray::{Array, Array4, ArrayView1, ArrayView2, ArrayView4, CowArray, Dimension, Ix2, Ix4};

use crate::{Dtype, MappedFile};

#[cfg(target_endian = "big")]
compile_error!("lookback-trace maps little-endian files and needs a little-endian machine");

/// Numbers of shape \[heads, rows, width\] in row-major order; a tensor of shape \[heads, rows\] has width 1.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    pub(crate) heads: usize,
    pub(crate) rows: usize,
    pub(crate) width: usize,
    data: Data,
}

/// Where a tensor's numbers are.
#[derive(Debug, Clone)]
enum Data {
    Owned(Vec<f32>),
    /// A part of a file that [`Tensor::mapped`] has checked for size and alignment.
    Mapped {
        map: Arc<MappedFile>,
        bytes: Range<usize>,
        dtype: Dtype,
    },
}

impl Tensor {
    /// Takes over an array of shape \[heads, rows\] or \[heads, rows, width\].
    pub(crate) fn owned<D: Dimension>(array: Array<f32, D>) -> Self {
        let dim = |axis: usize| array.shape().get(axis).copied().unwrap_or(1);
        let (heads, rows, width) = (dim(0), dim(1), dim(2));
        let len = array.len();
        let numbers = if array.is_standard_layout() {
            let (mut numbers, offset) = array.into_raw_vec_and_offset();
            numbers.drain(..offset.unwrap_or(0));
            numbers.truncate(len);
            numbers
        } else {
            array.iter().copied().collect()
        };
        Self {
            heads,
            rows,
            width,
            data: Data::Owned(numbers),
        }
    }

    /// A tensor that stays in the mapped file; none where the bytes are not as many as the shape needs, or
    /// begin at an address that its numbers cannot be read from.
    pub(crate) fn mapped(
        [heads, rows, width]: [usize; 3],
        dtype: Dtype,
        map: &Arc<MappedFile>,
        bytes: Range<usize>,
    ) -> Option<Self> {
        let size = heads
            .checked_mul(rows)?
            .checked_mul(width)?
            .checked_mul(dtype.size())?;
        let part = map
            .bytes()
            .get(bytes.clone())
            .filter(|part| part.len() == size)?;
        match dtype {
            Dtype::F32 => bytemuck::try_cast_slice::<u8, f32>(part).is_ok(),
            Dtype::F16 | Dtype::Bf16 => bytemuck::try_cast_slice::<u8, u16>(part).is_ok(),
        }
        .then(|| Self {
            heads,
            rows,
            width,
            data: Data::Mapped {
                map: Arc::clone(map),
                bytes,
                dtype,
            },
        })
    }

    /// The file that it is a part of; none where it is in memory of its own.
    pub(crate) fn file(&self) -> Option<&MappedFile> {
        match &self.data {
            Data::Owned(_) => None,
            Data::Mapped { map, .. } => Some(map),
        }
    }

    /// How many numbers there are.
    pub(crate) fn len(&self) -> usize {
        self.heads * self.rows * self.width
    }

    /// How the numbers are stored.
    pub(crate) fn dtype(&self) -> Dtype {
        match &self.data {
            Data::Owned(_) => Dtype::F32,
            Data::Mapped { dtype, .. } => *dtype,
        }
    }

    /// The numbers of one head, \[rows · width\]: borrowed where they are f32, widened where they are f16 or bf16.
    pub(crate) fn head(&self, head: usize) -> Cow<'_, [f32]> {
        let len = self.rows * self.width;
        self.numbers(head * len..(head + 1) * len)
    }

    /// All heads, as the attention crate takes them: \[1, heads, rows, width\].
    pub(crate) fn heads(&self) -> CowArray<'_, f32, Ix4> {
        let shape = (1, self.heads, self.rows, self.width);
        match self.numbers(0..self.len()) {
            Cow::Borrowed(numbers) => ArrayView4::from_shape(shape, numbers).map(CowArray::from),
            Cow::Owned(numbers) => Array4::from_shape_vec(shape, numbers).map(CowArray::from),
        }
        .expect("a tensor holds heads · rows · width numbers")
    }

    /// All of an f32 tensor as the attention crate takes it: \[1, heads, rows, width\].
    pub(crate) fn stored_f32(&self) -> ArrayView4<'_, f32> {
        let shape = (1, self.heads, self.rows, self.width);
        match self.numbers(0..self.len()) {
            Cow::Borrowed(numbers) => ArrayView4::from_shape(shape, numbers)
                .expect("a tensor holds heads · rows · width numbers"),
            Cow::Owned(_) => unreachable!("only queries, keys and values are stored in 16 bits"),
        }
    }

    /// Some of the numbers: borrowed where they are f32, widened where they are f16 or bf16.
    fn numbers(&self, at: Range<usize>) -> Cow<'_, [f32]> {
        match &self.data {
            Data::Owned(numbers) => Cow::Borrowed(&numbers[at]),
            Data::Mapped { map, bytes, dtype } => {
                let stored = &map.bytes()[bytes.clone()];
                let bits = || &bytemuck::cast_slice::<u8, u16>(stored)[at.clone()];
                match dtype {
                    Dtype::F32 => Cow::Borrowed(&bytemuck::cast_slice(stored)[at]),
                    Dtype::F16 => Cow::Owned(bits().reinterpret_cast::<f16>().to_f32_vec()),
                    Dtype::Bf16 => Cow::Owned(bits().reinterpret_cast::<bf16>().to_f32_vec()),
                }
            }
        }
    }

    /// One head as a matrix: \[rows, width\].
    pub(crate) fn matrix(&self, head: usize) -> CowArray<'_, f32, Ix2> {
        let shape = (self.rows, self.width);
        match self.head(head) {
            Cow::Borrowed(numbers) => ArrayView2::from_shape(shape, numbers).map(CowArray::from),
            Cow::Owned(numbers) => {
                ndarray::Array2::from_shape_vec(shape, numbers).map(CowArray::from)
            }
        }
        .expect("a head holds rows · width numbers")
    }

    /// One head of an f32 tensor as a vector: \[rows · width\].
    pub(crate) fn vector(&self, head: usize) -> ArrayView1<'_, f32> {
        match self.head(head) {
            Cow::Borrowed(numbers) => ArrayView1::from(numbers),
            Cow::Owned(_) => unreachable!("only queries, keys and values are stored in 16 bits"),
        }
    }

    /// The first number that is refused, as (head, row, value).
    pub(crate) fn find(&self, refused: impl Fn(f32) -> bool) -> Option<(usize, usize, f32)> {
        (0..self.heads).find_map(|head| {
            let numbers = self.head(head);
            let at = numbers.iter().position(|&x| refused(x))?;
            Some((head, at / self.width, numbers[at]))
        })
    }
}
