//! Numbers out of candle's tensors.

use candle_core::{CpuStorage, Storage, Tensor};
use ndarray::Array2;

use super::rows::from_rows;
use crate::Error;

/// Lets `f` read the numbers of a contiguous f32 tensor where they are.
pub(crate) fn read_f32<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R, Error> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => Ok(f(&values[start..end])),
        _ => Err(Error::Tensor(candle_core::Error::Msg(format!(
            "expected a contiguous f32 tensor on the CPU, not {tensor:?}"
        )))),
    }
}

/// A copy of a matrix of candle's.
pub(crate) fn to_array(matrix: &Tensor) -> Result<Array2<f32>, Error> {
    let columns = matrix.dims2()?.1;
    Ok(from_rows(
        read_f32(&matrix.contiguous()?, <[f32]>::to_vec)?,
        columns,
    ))
}
