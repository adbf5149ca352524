//! The types that weights are stored in.

use candle_core::quantized::GgmlDType;

/// The type that a tensor's numbers are stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoredType {
    /// One that candle knows too.
    Candle(GgmlDType),
    /// GGML's IQ4_NL: blocks of 32 entries, 4 bits each, that index a table of unevenly spaced numbers.
    Iq4Nl,
    /// GGML's IQ4_XS: eight such blocks with scales of 6 bits.
    Iq4Xs,
    /// GGML's MXFP4: blocks of 32 floats of 4 bits with a power of two.
    Mxfp4,
    /// The same numbers as Hugging Face's folders have them: the powers of two in a tensor of their own.
    Mxfp4Apart,
}

/// Entries of a block of 4-bit numbers.
pub(crate) const BLOCK: usize = 32;
/// Entries of a block of IQ4_XS.
pub(crate) const SUPER_BLOCK: usize = 256;

impl StoredType {
    pub(crate) const F32: Self = Self::Candle(GgmlDType::F32);
    pub(crate) const F16: Self = Self::Candle(GgmlDType::F16);
    pub(crate) const BF16: Self = Self::Candle(GgmlDType::BF16);

    /// Its name in GGML's spelling.
    #[must_use]
    pub fn name(self) -> &'static str {
        use GgmlDType::{BF16, F16, F32, Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
        match self {
            Self::Candle(F32) => "F32",
            Self::Candle(F16) => "F16",
            Self::Candle(BF16) => "BF16",
            Self::Candle(Q4_0) => "Q4_0",
            Self::Candle(Q4_1) => "Q4_1",
            Self::Candle(Q5_0) => "Q5_0",
            Self::Candle(Q5_1) => "Q5_1",
            Self::Candle(Q8_0) => "Q8_0",
            Self::Candle(Q2K) => "Q2_K",
            Self::Candle(Q3K) => "Q3_K",
            Self::Candle(Q4K) => "Q4_K",
            Self::Candle(Q5K) => "Q5_K",
            Self::Candle(Q6K) => "Q6_K",
            // They hold activations and never weights.
            Self::Candle(_) => "an activation type",
            Self::Iq4Nl => "IQ4_NL",
            Self::Iq4Xs => "IQ4_XS",
            Self::Mxfp4 | Self::Mxfp4Apart => "MXFP4",
        }
    }

    /// Candle's type, where it has this one.
    #[must_use]
    pub fn candle(self) -> Option<GgmlDType> {
        match self {
            Self::Candle(dtype) => Some(dtype),
            _ => None,
        }
    }

    /// Entries of a block.
    pub(crate) fn block_size(self) -> usize {
        match self {
            Self::Candle(dtype) => dtype.block_size(),
            Self::Iq4Nl | Self::Mxfp4 | Self::Mxfp4Apart => BLOCK,
            Self::Iq4Xs => SUPER_BLOCK,
        }
    }

    /// Bytes of a block, without those that stand elsewhere.
    pub(crate) fn type_size(self) -> usize {
        match self {
            Self::Candle(dtype) => dtype.type_size(),
            Self::Iq4Nl => 2 + BLOCK / 2,
            Self::Iq4Xs => 2 + 2 + SUPER_BLOCK / 64 + SUPER_BLOCK / 2,
            Self::Mxfp4 => 1 + BLOCK / 2,
            Self::Mxfp4Apart => BLOCK / 2,
        }
    }

    /// Bytes that `entries` entries take, a whole number of blocks.
    pub(crate) fn stored_size(self, entries: usize) -> usize {
        entries / self.block_size() * self.type_size()
    }

    /// Bytes that their scales take elsewhere.
    pub(crate) fn scales_size(self, entries: usize) -> usize {
        match self {
            Self::Mxfp4Apart => entries / BLOCK,
            _ => 0,
        }
    }
}
