//! Activations of feed-forward parts.

/// A function of single numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x · sigmoid(x), the gate of SwiGLU (Shazeer 2020, <https://arxiv.org/abs/2002.05202>).
    Silu,
    /// x · Φ(x) by the error function (Hendrycks & Gimpel 2016, <https://arxiv.org/abs/1606.08415>).
    Gelu,
    /// GELU's approximation 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), of the same paper.
    GeluTanh,
    /// max(x, 0).
    Relu,
    /// max(x, 0)² (So et al. 2021, <https://arxiv.org/abs/2109.08668>).
    SquaredRelu,
    /// Of a gate g and what it multiplies, u: g' · sigmoid(1.702·g') · (u' + 1), with g' = min(g, 7) and u' = u between −7 and 7
    /// (gpt-oss, OpenAI 2025, <https://arxiv.org/abs/2508.10925>).
    ClampedSwiGlu,
}

impl Activation {
    /// The function that `transformers` calls so.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "silu" | "swish" => Activation::Silu,
            "gelu" => Activation::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" | "gelu_accurate" => {
                Activation::GeluTanh
            }
            "relu" => Activation::Relu,
            "relu2" | "relu_squared" => Activation::SquaredRelu,
            _ => return None,
        })
    }

    /// All names that [`Activation::by_name`] knows, for messages.
    pub(crate) const NAMES: &str = "silu, gelu, gelu_new, gelu_pytorch_tanh, relu or relu2";
}
