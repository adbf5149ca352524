//! What a model is, as data: a specification of standard parts.
//!
//! A family resolves a checkpoint's configuration into a [`Spec`]; one engine runs it. Whatever explains a model
//! asks the specification, never the family.

mod activation;
mod ends;
mod feed_forward;
mod layer;
mod norm;
mod part;
mod position;

pub use activation::Activation;
pub use ends::{EmbeddingSpec, HeadSpec, HeadTransform};
pub use feed_forward::{Experts, FeedForwardSpec, SharedExpert, Shares};
pub use layer::{AttentionSpec, LayerSpec, QkNorm, Span};
pub use norm::{Norm, NormKind, Norms};
pub(crate) use part::{Network, Part, Tensor};
pub use position::{LearnedPositions, Rope, RopeScaling, alibi_slopes};

/// A model's sizes and parts, the same whichever file format they came from.
///
/// Sizes use the field's letters: d is the model dimension, H the query heads, H_kv the
/// key/value heads, d_k and d_v the dimensions of a head.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// The family, by GGUF's `general.architecture`, for example `llama`.
    pub architecture: &'static str,
    /// d, the model (embedding) dimension.
    pub d: usize,
    /// H, query heads a layer.
    pub heads: usize,
    /// H_kv, key/value heads a layer; it divides `heads`.
    pub kv_heads: usize,
    /// d_k = d_v, the head dimension; not always d / H.
    pub head_dim: usize,
    /// Rows of the embedding table, so one more than the largest token id.
    pub vocab: usize,
    /// The most positions the model was made for.
    pub context_length: usize,
    /// How token ids become the first layer's input.
    pub embedding: EmbeddingSpec,
    /// The layers.
    pub layers: Vec<LayerSpec>,
    /// The norm behind the last layer.
    pub final_norm: Option<Norm>,
    /// How hidden states become logits; none in a base model.
    pub head: Option<HeadSpec>,
}

impl Spec {
    /// Whether the output head is the embedding table.
    #[must_use]
    pub fn tied(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.tied)
    }

    /// Whether it says what comes after a text: not without an output head, and not where every token sees all others.
    #[must_use]
    pub fn predicts_next(&self) -> bool {
        let masked = self.head.as_ref().is_none_or(|head| head.masked);
        !masked && !self.is_bidirectional()
    }

    /// What makes the logits a nonlinear function of the heads' outputs, besides the final norm; none where nothing does. Where
    /// something does, no part of a logit belongs to one head alone.
    #[must_use]
    pub fn nonlinear_path(&self) -> Option<&'static str> {
        let behind = |norms: &Norms| norms.output.is_some() || norms.sum.is_some();
        let mut layers = self.layers.iter();
        let post_norm =
            layers.any(|l| behind(&l.attention_norms) || l.feed_forward_norms.sum.is_some());
        match &self.head {
            None => Some("no output head"),
            Some(_) if post_norm => Some("norms behind its attention"),
            Some(head) => head.nonlinear(),
        }
    }

    /// After how many tokens rotary embedding turns all of a text by other angles, those before too: LongRoPE does, whose longer
    /// texts have factors of their own.
    #[must_use]
    pub fn turns_anew_after(&self) -> Option<usize> {
        let ropes = self
            .layers
            .iter()
            .filter_map(|layer| layer.attention.rope.as_ref());
        let after = ropes.filter_map(|rope| match rope.scaling {
            RopeScaling::LongRope {
                original_context_length,
                ..
            } => Some(original_context_length),
            _ => None,
        });
        after.min()
    }

    /// Whether a token sees what follows it: an encoder.
    #[must_use]
    pub fn is_bidirectional(&self) -> bool {
        let mut layers = self.layers.iter();
        layers.any(|layer| layer.attention.span.is_bidirectional())
    }
}
