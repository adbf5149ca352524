//! The encoder that BERT and its relatives are.

use crate::families::config::plain::Plain;
use crate::spec::{
    Activation, EmbeddingSpec, HeadSpec, HeadTransform, LearnedPositions, Norm, Norms, Span, Spec,
};

/// An encoder besides its sizes.
pub(super) struct Encoder {
    pub(super) norm: Norm,
    pub(super) activation: Activation,
    pub(super) d_ff: usize,
    pub(super) layers: usize,
    pub(super) positions: LearnedPositions,
    pub(super) segments: Option<usize>,
}

impl Encoder {
    /// Completes `spec`: learned positions, layers that see everything, norms behind each part, and the transformation before
    /// the head, where there is one.
    pub(super) fn complete(&self, mut spec: Spec) -> Spec {
        let behind = Norms {
            sum: Some(self.norm),
            ..Norms::default()
        };
        spec.embedding = EmbeddingSpec {
            scale: 1.0,
            positions: Some(self.positions),
            segments: self.segments,
            norm: Some(self.norm),
        };
        let plain = Plain {
            head_dim: spec.head_dim,
            norm: self.norm,
            rope: None,
            activation: self.activation,
            d_ff: self.d_ff,
        };
        let mut layer = plain.biased_layer();
        layer.attention.span = Span::Bidirectional;
        layer.attention_norms = behind;
        layer.feed_forward_norms = behind;
        spec.layers = vec![layer; self.layers];
        spec.head = spec.head.map(|head| HeadSpec {
            bias: true,
            transform: Some(HeadTransform {
                activation: self.activation,
                norm: self.norm,
                bias: true,
            }),
            masked: true,
            ..head
        });
        spec
    }
}
