//! One layer of a specification.

use super::{FeedForwardSpec, Norm, Norms, Rope};

/// A layer: attention, then a feed-forward part, each with the residual stream around it.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerSpec {
    /// The attention.
    pub attention: AttentionSpec,
    /// Where the attention's norms stand.
    pub attention_norms: Norms,
    /// The feed-forward part, where there is one.
    pub feed_forward: Option<FeedForwardSpec>,
    /// Where the feed-forward part's norms stand.
    pub feed_forward_norms: Norms,
    /// Whether both parts read the layer's input, x + attention(x) + feed_forward(x), instead of one the other's sum.
    pub parallel: bool,
    /// Whether the feed-forward part reads what the attention's norm gives, instead of a norm of its own with the same formula
    /// (Falcon 7B).
    pub shared_norm: bool,
    /// What both parts are multiplied by before they are added.
    pub residual_scale: f32,
}

/// The attention of one layer. How many heads there are, and how long they are, is the same in all layers and stands in
/// [`Spec`](super::Spec).
#[derive(Debug, Clone, PartialEq)]
pub struct AttentionSpec {
    /// What q·k is multiplied by; most often 1/√d_k.
    pub scale: f32,
    /// Which keys a query sees.
    pub span: Span,
    /// Scores s become cap · tanh(s / cap).
    pub soft_cap: Option<f32>,
    /// Whether each head has a learned logit that takes part in the softmax and belongs to no key.
    pub sinks: bool,
    /// The slope of each head's penalty of the distance.
    pub alibi: Option<Vec<f32>>,
    /// How queries and keys are turned by their position.
    pub rope: Option<Rope>,
    /// Norms of queries and keys before they are turned.
    pub qk_norm: Option<QkNorm>,
    /// Whether W_q, W_k and W_v have biases.
    pub qkv_bias: bool,
    /// Whether W_o has one.
    pub output_bias: bool,
    /// Whether values flow on: not in a layer that only points.
    pub values: bool,
}

/// Which keys a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Itself and those before it.
    Causal,
    /// Itself and the `window − 1` before it.
    CausalWindow {
        /// How many keys it sees, itself included.
        window: usize,
    },
    /// All.
    Bidirectional,
    /// Itself and as many as `radius` on each side of it (ModernBERT).
    BidirectionalWindow {
        /// How many keys it sees at most on one side.
        radius: usize,
    },
}

impl Span {
    /// Whether a query sees keys behind its own.
    #[must_use]
    pub fn is_bidirectional(self) -> bool {
        matches!(self, Span::Bidirectional | Span::BidirectionalWindow { .. })
    }
}

/// Norms of queries and keys, with gains of their own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum QkNorm {
    /// Of each head's d_k entries, with one gain for all heads (Qwen3, Gemma 3).
    PerHead(Norm),
    /// Of all heads' entries together (OLMo 2).
    AllHeads(Norm),
}

impl QkNorm {
    /// The norm itself.
    #[must_use]
    pub fn norm(self) -> Norm {
        match self {
            QkNorm::PerHead(norm) | QkNorm::AllHeads(norm) => norm,
        }
    }
}
