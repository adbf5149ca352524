//! A tensor's numbers where they are.

use candle_core::{Storage, Tensor, WithDType};

/// Calls `f` with the numbers of a tensor on the CPU, copied only where they are not contiguous.
pub(crate) fn with_values<T: WithDType, R>(
    tensor: &Tensor,
    f: impl FnOnce(&[T]) -> candle_core::Result<R>,
) -> candle_core::Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(values), Some((first, end))) => {
            f(&T::cpu_storage_as_slice(values)?[first..end])
        }
        _ => candle_core::bail!("a tensor on the CPU was expected"),
    }
}
