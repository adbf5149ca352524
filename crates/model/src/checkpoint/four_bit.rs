//! Blocks of 4-bit numbers that candle has not: IQ4_NL, IQ4_XS and MXFP4.
//!
//! The formulas are GGML's (`ggml/src/ggml-quants.c`, `dequantize_row_iq4_nl`, `…_iq4_xs`, `…_mxfp4`; tables in
//! `ggml-common.h`), and for MXFP4 in two tensors transformers' (`integrations/mxfp4.py`, `convert_moe_packed_tensors`). A float of
//! 4 bits (E2M1) and a power of two a block (E8M0) are the Open Compute Project's Microscaling Formats, version 1.0.

use half::f16;

use super::stored_type::{BLOCK, SUPER_BLOCK};

/// What an index of IQ4_NL and IQ4_XS stands for.
const UNEVEN: [f32; 16] = [
    -127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0,
    89.0, 113.0,
];

/// Floats of 4 bits: a sign, two bits of exponent, one of mantissa.
const E2M1: [f32; 16] = [
    0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0,
];

/// The low halves of the bytes are a block's first entries, the high ones its last: x = scale · table\[index\].
fn halves(nibbles: &[u8], table: &[f32; 16], scale: f32, out: &mut [f32]) {
    let (low, high) = out.split_at_mut(nibbles.len());
    for ((&byte, low), high) in nibbles.iter().zip(low).zip(high) {
        *low = scale * table[usize::from(byte & 15)];
        *high = scale * table[usize::from(byte >> 4)];
    }
}

/// A block is d in f16 and 32 indices: x = d · table\[index\].
pub(super) fn iq4_nl(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes
        .chunks_exact(2 + BLOCK / 2)
        .zip(out.chunks_exact_mut(BLOCK))
    {
        let d = f16::from_le_bytes([block[0], block[1]]).to_f32();
        halves(&block[2..], &UNEVEN, d, out);
    }
}

/// A block is d in f16, the high two bits of eight scales (16 bits), their low four bits (4 bytes), and 8 · 32 indices:
/// x = d · (scale − 32) · table\[index\].
pub(super) fn iq4_xs(bytes: &[u8], out: &mut [f32]) {
    const SCALES: usize = 4;
    const INDICES: usize = SCALES + SUPER_BLOCK / 64;
    for (block, out) in bytes
        .chunks_exact(INDICES + SUPER_BLOCK / 2)
        .zip(out.chunks_exact_mut(SUPER_BLOCK))
    {
        let d = f16::from_le_bytes([block[0], block[1]]).to_f32();
        let high = u16::from_le_bytes([block[2], block[3]]);
        let parts = block[INDICES..].chunks_exact(BLOCK / 2);
        for (part, (nibbles, out)) in parts.zip(out.chunks_exact_mut(BLOCK)).enumerate() {
            let low = block[SCALES + part / 2] >> (4 * (part % 2)) & 15;
            let scale = u16::from(low) | (high >> (2 * part) & 3) << 4;
            halves(nibbles, &UNEVEN, d * (f32::from(scale) - 32.0), out);
        }
    }
}

/// A block is e and 32 floats of 4 bits: x = 2^(e − 127) · float.
pub(super) fn mxfp4(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes
        .chunks_exact(1 + BLOCK / 2)
        .zip(out.chunks_exact_mut(BLOCK))
    {
        halves(&block[1..], &E2M1, power_of_two(block[0]), out);
    }
}

/// The same with each block's e in `scales`, and entries in the order of the bytes, the low half first.
pub(super) fn mxfp4_apart(blocks: &[u8], scales: &[u8], out: &mut [f32]) {
    let blocks = blocks.chunks_exact(BLOCK / 2).zip(scales);
    for ((nibbles, &e), out) in blocks.zip(out.chunks_exact_mut(BLOCK)) {
        let scale = power_of_two(e);
        for (&byte, pair) in nibbles.iter().zip(out.chunks_exact_mut(2)) {
            pair[0] = scale * E2M1[usize::from(byte & 15)];
            pair[1] = scale * E2M1[usize::from(byte >> 4)];
        }
    }
}

/// 2^(e − 127), E8M0; 255 is no number.
fn power_of_two(e: u8) -> f32 {
    match e {
        // Half of the smallest normal number.
        0 => f32::from_bits(1 << 22),
        255 => f32::NAN,
        e => f32::from_bits(u32::from(e) << 23),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use safetensors::SafeTensors;

    use crate::checkpoint::StoredType;
    use crate::checkpoint::decode::decode;
    use crate::checkpoint::map::MappedFile;
    use crate::checkpoint::safetensors::{read_header, stored};
    use crate::checkpoint::weights::{StoredTensor, Weights};
    use crate::families::FAMILIES;

    fn path() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wild/four_bit.safetensors")
    }

    fn values(file: &SafeTensors, name: &str) -> Vec<f32> {
        let tensor = file.tensor(name).unwrap();
        let words = tensor.data().as_chunks().0.iter();
        words.map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    /// Against the `gguf` package.
    #[test]
    fn blocks_are_dequantised_as_by_the_gguf_package() {
        let bytes = std::fs::read(path()).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        for dtype in [StoredType::Iq4Nl, StoredType::Iq4Xs, StoredType::Mxfp4] {
            let blocks = file.tensor(&format!("{}.bytes", dtype.name())).unwrap();
            let expected = values(&file, &format!("{}.values", dtype.name()));
            assert_eq!(blocks.data().len(), dtype.stored_size(expected.len()));
            let mut found = vec![0.0; expected.len()];
            decode(dtype, blocks.data(), &[], &mut found).unwrap();
            assert_eq!(found, expected, "{dtype:?}");
        }
    }

    /// Against `transformers`.
    #[test]
    fn blocks_and_scales_in_two_tensors_are_one_that_is_read_by_rows() {
        let bytes = std::fs::read(path()).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let expected = values(&file, "mx.values");
        let files = vec![MappedFile::open(&path()).unwrap()];
        let mut entries = read_header(&files[0], 0, FAMILIES[0]).unwrap();
        entries.retain(|name, _| name.starts_with("mx_"));
        let mut tensors = stored(entries, &files).unwrap();
        let (experts, rows, columns) = (2, 5, 96);
        assert_eq!(tensors["mx"].shape, [experts, rows, columns]);
        let second = StoredTensor {
            shape: vec![rows, columns],
            ..tensors["mx"].parts(1, 1, experts)
        };
        tensors.insert("second".to_owned(), second);
        let weights = Weights::new(files, tensors);
        let numbers = |tensor: candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>();
        assert_eq!(
            numbers(weights.tensor_f32("mx").unwrap()).unwrap(),
            expected
        );
        let of_second = &expected[rows * columns..];
        assert_eq!(
            numbers(weights.tensor_f32("second").unwrap()).unwrap(),
            of_second
        );
        let picked = numbers(weights.rows_f32("second", &[4, 0]).unwrap()).unwrap();
        assert_eq!(
            picked,
            [&of_second[4 * columns..], &of_second[..columns]].concat()
        );
    }

    #[test]
    fn the_power_that_stands_for_no_number_is_found() {
        let mut out = [0.0; 32];
        let mut block = [0x11; 17];
        block[0] = 255;
        assert_eq!(decode(StoredType::Mxfp4, &block, &[], &mut out), Err(0));
        assert_eq!(
            decode(StoredType::Mxfp4Apart, &block[1..], &[255], &mut out),
            Err(0)
        );
    }
}
