//! How a model is loaded.

/// In which form the weights are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightsKind {
    /// Dequantised to f32: what traces, analyses and reference values are computed with.
    #[default]
    F32,
    /// Quantised or 16-bit, for faster decoding. What is not fast as it is stored becomes Q8_0, so that numbers differ
    /// slightly from f32's; f16 and bf16 stay, and give f32's but for rounding.
    Quantized,
}

/// How a model is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadOptions {
    /// In which form the weights are held.
    pub weights: WeightsKind,
}
