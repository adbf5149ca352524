//! What a model is made of.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The shape of a model, each part switchable so that its worth can be measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// d, the embeddings' dimension.
    pub d: usize,
    /// L, layers; the last is the pointer.
    pub layers: usize,
    /// H, heads a layer.
    pub heads: usize,
    /// d_k, the dimension of queries and keys.
    pub d_k: usize,
    /// d_v, the dimension of values in the layers before the pointer.
    pub d_v: usize,
    /// Whether a layer adds to its input (x + Attention(x)) or replaces it.
    pub residual: bool,
    /// Whether each layer begins with RMSNorm.
    pub norm: bool,
    /// θ of the rotary position embedding; without it, order is known from the causal mask alone.
    pub rotary: Option<f32>,
    /// Inner dimension of a feed-forward part after each layer's attention, if there is one.
    pub mlp: Option<usize>,
    /// Whether scores are divided by √d_k.
    pub scaled: bool,
    /// Whether the embeddings are trained too.
    pub free_embeddings: bool,
}

/// ε of the norms.
pub(crate) const NORM_EPS: f32 = 1e-5;

impl Config {
    /// Layers and heads of 32 dimensions over embeddings of dimension `d`; all else as the shipped model has it.
    #[must_use]
    pub fn new(d: usize, layers: usize, heads: usize) -> Self {
        Self {
            d,
            layers,
            heads,
            d_k: 32,
            d_v: 32,
            residual: true,
            norm: true,
            rotary: Some(10_000.0),
            mlp: None,
            scaled: true,
            free_embeddings: false,
        }
    }

    /// Rejects sizes that no model can have.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self) -> Result<(), Error> {
        let sizes = [
            ("d", self.d),
            ("layers", self.layers),
            ("heads", self.heads),
            ("d_k", self.d_k),
            ("d_v", self.d_v),
            ("mlp", self.mlp.unwrap_or(1)),
        ];
        for (setting, size) in sizes {
            if !(1..=1 << 16).contains(&size) {
                let value = size.to_string();
                return Err(Error::Setting {
                    setting,
                    value,
                    expected: "from 1 to 65536",
                });
            }
        }
        match self.rotary {
            Some(theta) if !(theta.is_finite() && theta > 0.0) => Err(Error::Setting {
                setting: "rotary",
                value: theta.to_string(),
                expected: "positive",
            }),
            Some(_) if self.d_k % 2 == 1 => Err(Error::Setting {
                setting: "d_k",
                value: self.d_k.to_string(),
                expected: "even, so that rotary position embedding has pairs to rotate",
            }),
            _ => Ok(()),
        }
    }

    /// What `q·k` is multiplied by.
    pub(crate) fn scale(&self) -> f32 {
        if self.scaled {
            1.0 / (self.d_k as f32).sqrt()
        } else {
            1.0
        }
    }
}
