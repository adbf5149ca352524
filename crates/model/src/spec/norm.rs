//! Normalisation of hidden states, as a part of a specification.

/// A norm over the last dimension of rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm {
    /// Which formula.
    pub kind: NormKind,
    /// ε, added under the root.
    pub eps: f32,
}

/// The formula of a norm of x with gain g and bias b, both of x's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// x / √(mean(x²) + ε) · g (Zhang & Sennrich 2019, <https://arxiv.org/abs/1910.07467>).
    Rms,
    /// [`NormKind::Rms`] whose stored gain is g − 1, as Gemma stores it.
    RmsPlusOne,
    /// (x − mean(x)) / √(var(x) + ε) · g + b (Ba et al. 2016, <https://arxiv.org/abs/1607.06450>).
    Layer,
    /// [`NormKind::Layer`] without a bias.
    LayerWithoutBias,
}

impl NormKind {
    /// Whether the mean is subtracted first.
    #[must_use]
    pub fn centres(self) -> bool {
        matches!(self, NormKind::Layer | NormKind::LayerWithoutBias)
    }

    /// Whether a bias is added.
    #[must_use]
    pub fn has_bias(self) -> bool {
        self == NormKind::Layer
    }

    /// Its name in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            NormKind::Rms | NormKind::RmsPlusOne => "RMSNorm",
            NormKind::Layer | NormKind::LayerWithoutBias => "LayerNorm",
        }
    }
}

/// Where the norms of one part of a layer (its attention, or its feed-forward part) stand, with x what enters and f the
/// part: each may be there or not.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Norms {
    /// f(norm(x)): before the part (pre-norm: GPT-2, Llama).
    pub before: Option<Norm>,
    /// x + norm(f(x)): of what the part gives (Gemma 2).
    pub output: Option<Norm>,
    /// norm(x + f(x)): of the sum (post-norm: BERT).
    pub sum: Option<Norm>,
}
