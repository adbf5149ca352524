//! The encoder that BERT and its relatives are.

use crate::spec::{
    Activation, AttentionSpec, EmbeddingSpec, FeedForwardSpec, HeadSpec, LayerSpec,
    LearnedPositions, Norm, Norms, Span, Spec,
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
        let layer = LayerSpec {
            attention: AttentionSpec {
                scale: 1.0 / (spec.head_dim as f32).sqrt(),
                span: Span::Bidirectional,
                soft_cap: None,
                sinks: false,
                alibi: None,
                rope: None,
                qk_norm: None,
                qkv_bias: true,
                output_bias: true,
                values: true,
            },
            attention_norms: behind,
            feed_forward: Some(FeedForwardSpec {
                d_ff: self.d_ff,
                activation: self.activation,
                gated: false,
                bias: true,
            }),
            feed_forward_norms: behind,
            parallel: false,
            residual_scale: 1.0,
        };
        spec.layers = vec![layer; self.layers];
        spec.head = spec.head.map(|head| HeadSpec {
            bias: true,
            transform: Some((self.activation, self.norm)),
            masked: true,
            ..head
        });
        spec
    }
}
