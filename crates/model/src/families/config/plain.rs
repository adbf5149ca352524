//! The layer that most families since Llama begin with.

use crate::spec::{Activation, AttentionSpec, FeedForwardSpec, LayerSpec, Norm, Norms, Rope, Span};

/// A layer of the Llama family: RMSNorm before each part, rotary positions, a gated feed-forward part, no biases.
pub(crate) struct Plain {
    pub(crate) head_dim: usize,
    pub(crate) norm: Norm,
    pub(crate) rope: Option<Rope>,
    pub(crate) activation: Activation,
    pub(crate) d_ff: usize,
}

impl Plain {
    pub(crate) fn layer(&self) -> LayerSpec {
        let before = Norms {
            before: Some(self.norm),
            ..Norms::default()
        };
        LayerSpec {
            attention: AttentionSpec {
                scale: 1.0 / (self.head_dim as f32).sqrt(),
                span: Span::Causal,
                soft_cap: None,
                sinks: false,
                alibi: None,
                rope: self.rope.clone(),
                qk_norm: None,
                qkv_bias: false,
                output_bias: false,
                values: true,
            },
            attention_norms: before,
            feed_forward: Some(FeedForwardSpec {
                d_ff: self.d_ff,
                activation: self.activation,
                gated: true,
                bias: false,
                experts: None,
            }),
            feed_forward_norms: before,
            parallel: false,
            shared_norm: false,
            residual_scale: 1.0,
        }
    }

    /// The layer of families before Llama: biases everywhere, and a feed-forward part without a gate.
    pub(crate) fn biased_layer(&self) -> LayerSpec {
        let mut layer = self.layer();
        layer.attention.qkv_bias = true;
        layer.attention.output_bias = true;
        layer.feed_forward = layer.feed_forward.map(|part| FeedForwardSpec {
            gated: false,
            bias: true,
            ..part
        });
        layer
    }
}
