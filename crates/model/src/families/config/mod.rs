//! Settings as most families name them: those of `transformers` in config.json, and GGUF's keys.

pub(crate) mod folder;
pub(crate) mod gguf;
pub(super) mod gguf_rope;
mod known;
mod rope;
mod windows;

pub(super) use rope::{RopeDefaults, one_rope, rope_from};
pub(super) use windows::{layer_kinds, window_span};

use crate::checkpoint::Error;
use crate::checkpoint::settings::Settings;
use crate::spec::{Activation, AttentionSpec, FeedForwardSpec, LayerSpec, Norm, Norms, Rope, Span};

/// The sizes that have to fit together, whichever file they came from.
#[derive(Clone, Copy)]
pub(super) struct HeadSizes {
    pub(super) d: usize,
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    pub(super) head_dim: Option<usize>,
}

/// What a format calls the settings of [`HeadSizes`].
#[derive(Clone, Copy)]
pub(super) struct HeadNames {
    pub(super) heads: &'static str,
    pub(super) kv_heads: &'static str,
    pub(super) head_dim: &'static str,
}

impl HeadSizes {
    /// Checks them; gives the head dimension, which is d / H where it is not given.
    pub(super) fn head_dim(&self, settings: &Settings, names: HeadNames) -> Result<usize, Error> {
        if self.kv_heads > self.heads || !self.heads.is_multiple_of(self.kv_heads) {
            let expected = format!("a divisor of the {} query heads", self.heads);
            return Err(settings.invalid(names.kv_heads, &self.kv_heads.into(), &expected));
        }
        match self.head_dim {
            Some(head_dim) => Ok(head_dim),
            None if self.d.is_multiple_of(self.heads) => Ok(self.d / self.heads),
            None => {
                let expected = format!("a divisor of {} where no head size is given", self.d);
                Err(settings.invalid(names.heads, &self.heads.into(), &expected))
            }
        }
    }
}

/// Refuses a number of entries that cannot turn in pairs.
pub(super) fn even(settings: &Settings, key: &str, dims: usize) -> Result<usize, Error> {
    if dims > 0 && dims.is_multiple_of(2) {
        return Ok(dims);
    }
    let expected = "even, so that rotary position embedding has pairs to turn";
    Err(settings.invalid(key, &dims.into(), expected))
}

/// A layer of the Llama family: RMSNorm before each part, rotary positions, a gated feed-forward part, no biases.
pub(super) struct Plain {
    pub(super) head_dim: usize,
    pub(super) norm: Norm,
    pub(super) rope: Option<Rope>,
    pub(super) activation: Activation,
    pub(super) d_ff: usize,
}

impl Plain {
    pub(super) fn layer(&self) -> LayerSpec {
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
            }),
            feed_forward_norms: before,
            parallel: false,
            residual_scale: 1.0,
        }
    }
}
