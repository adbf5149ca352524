//! A model's two ends: embeddings before the layers, the output head after them.

use super::{Activation, LearnedPositions, Norm};

/// From token ids to the first layer's input.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingSpec {
    /// What rows of the table are multiplied by; √d in Gemma.
    pub scale: f32,
    /// Learned positions that are added.
    pub positions: Option<LearnedPositions>,
    /// Rows of a table of segments, of which the first is added (BERT: a text alone is segment 0).
    pub segments: Option<usize>,
    /// A norm of the sum.
    pub norm: Option<Norm>,
}

impl Default for EmbeddingSpec {
    /// Rows of the table, as they are.
    fn default() -> Self {
        Self {
            scale: 1.0,
            positions: None,
            segments: None,
            norm: None,
        }
    }
}

/// From the last hidden states to logits: h·Uᵀ, U being the output head \[vocabulary, d\].
#[derive(Debug, Clone, PartialEq)]
pub struct HeadSpec {
    /// Whether U is the embedding table.
    pub tied: bool,
    /// Whether a bias is added, one number a token.
    pub bias: bool,
    /// What logits are multiplied by.
    pub scale: f32,
    /// Logits l become cap · tanh(l / cap) (Gemma 2).
    pub soft_cap: Option<f32>,
    /// What hidden states go through before.
    pub transform: Option<HeadTransform>,
    /// Whether what is predicted is the token itself, hidden by a mask, instead of the next one.
    pub masked: bool,
}

/// norm(act(h·W + b)), as BERT's prediction of masked words has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadTransform {
    /// The function between W and the norm.
    pub activation: Activation,
    /// The norm of what it gives.
    pub norm: Norm,
    /// Whether there is a b.
    pub bias: bool,
}

impl HeadSpec {
    /// What keeps logits from being a linear function of the normalised hidden states, where something does.
    pub(crate) fn nonlinear(&self) -> Option<&'static str> {
        match (&self.transform, self.soft_cap) {
            (Some(_), _) => Some("a dense layer with an activation before its output head"),
            (None, Some(_)) => Some("a soft-cap on its logits"),
            (None, None) => None,
        }
    }
}

impl Default for HeadSpec {
    /// A matrix of its own, for the next token.
    fn default() -> Self {
        Self {
            tied: false,
            bias: false,
            scale: 1.0,
            soft_cap: None,
            transform: None,
            masked: false,
        }
    }
}
