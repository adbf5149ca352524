//! Stored bytes to f32.

use std::borrow::Cow;

use candle_core::CpuStorage;
use candle_core::quantized::{GgmlDType, QuantizedType};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::four_bit;
use super::stored_type::StoredType;

/// Decodes `bytes`, which hold exactly `out.len()` entries, with their scales where the type has them in another place.
///
/// # Errors
/// The index into `out` of the first entry that is NaN or infinite.
pub(crate) fn decode(
    dtype: StoredType,
    bytes: &[u8],
    scales: &[u8],
    out: &mut [f32],
) -> Result<(), usize> {
    debug_assert_eq!(bytes.len(), dtype.stored_size(out.len()));
    debug_assert_eq!(scales.len(), dtype.scales_size(out.len()));
    match dtype {
        StoredType::F32 => {
            for (value, word) in out.iter_mut().zip(bytes.chunks_exact(4)) {
                *value = f32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            }
        }
        StoredType::F16 => halves(bytes, out, f16::from_le_bytes, |halves, out| {
            halves.convert_to_f32_slice(out);
        }),
        StoredType::BF16 => halves(bytes, out, bf16::from_le_bytes, |halves, out| {
            halves.convert_to_f32_slice(out);
        }),
        StoredType::Candle(quantized) => blocks(quantized, bytes, out),
        StoredType::Iq4Nl => four_bit::iq4_nl(bytes, out),
        StoredType::Iq4Xs => four_bit::iq4_xs(bytes, out),
        StoredType::Mxfp4 => four_bit::mxfp4(bytes, out),
        StoredType::Mxfp4Apart => four_bit::mxfp4_apart(bytes, scales, out),
    }
    match first_not_finite(out) {
        None => Ok(()),
        Some(index) => Err(index),
    }
}

/// 16-bit floats by way of a small buffer, so that bytes need no alignment and the conversion
/// can use the processor's instructions.
fn halves<T: Copy + Default>(
    bytes: &[u8],
    out: &mut [f32],
    from_le_bytes: fn([u8; 2]) -> T,
    convert: fn(&[T], &mut [f32]),
) {
    const CHUNK: usize = 1024;
    let mut buffer = [T::default(); CHUNK];
    for (bytes, out) in bytes.chunks(2 * CHUNK).zip(out.chunks_mut(CHUNK)) {
        for (half, pair) in buffer.iter_mut().zip(bytes.chunks_exact(2)) {
            *half = from_le_bytes([pair[0], pair[1]]);
        }
        convert(&buffer[..out.len()], out);
    }
}

/// Quantised blocks, by candle.
fn blocks(dtype: GgmlDType, bytes: &[u8], out: &mut [f32]) {
    match candle_blocks(dtype, bytes).dequantize(out.len()) {
        Ok(CpuStorage::F32(values)) => out.copy_from_slice(&values),
        // candle's dequantisation is total and gives f32; NaN is refused by the caller.
        Ok(_) | Err(_) => out.fill(f32::NAN),
    }
}

/// A copy of `bytes` as candle's blocks. candle asserts that the bytes it copies from are
/// aligned, which those of a safetensors file, or of a vector, need not be.
pub(crate) fn candle_blocks(dtype: GgmlDType, bytes: &[u8]) -> Box<dyn QuantizedType> {
    /// No block type asks for more.
    const ALIGNMENT: usize = 4;
    if bytes.as_ptr().align_offset(ALIGNMENT) == 0 {
        return dtype.from_data(Cow::Borrowed(bytes));
    }
    let mut buffer = vec![0; bytes.len() + ALIGNMENT];
    let start = buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
    let copy = &mut buffer[start..start + bytes.len()];
    copy.copy_from_slice(bytes);
    dtype.from_data(Cow::Borrowed(copy))
}

/// Index of the first NaN or infinity.
pub(crate) fn first_not_finite(values: &[f32]) -> Option<usize> {
    const EXPONENT: u32 = 0x7f80_0000;
    let not_finite = |value: &f32| value.to_bits() & EXPONENT == EXPONENT;
    // Without a branch an entry, so that it is vectorised; found where it seldom is, in a second pass.
    let any = values
        .iter()
        .fold(false, |any, value| any | not_finite(value));
    any.then(|| values.iter().position(not_finite)).flatten()
}
