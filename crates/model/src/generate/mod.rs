//! Text generation: prefill, then one token at a time.

mod sampler;

use std::ops::ControlFlow;

pub use sampler::{Sampler, Sampling};

use crate::{Error, Model};

/// How text is generated.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// The most tokens to generate.
    pub max_tokens: usize,
    /// How each token is chosen.
    pub sampling: Sampling,
    /// Tokens that end the text; the one that does is not part of it.
    pub stop_tokens: Vec<u32>,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            max_tokens: 128,
            sampling: Sampling::default(),
            stop_tokens: Vec::new(),
        }
    }
}

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The model produced this stop token.
    Stop(u32),
    /// [`GenerateOptions::max_tokens`] were generated.
    MaxTokens,
    /// The model's context is full.
    ContextFull,
    /// The callback asked to stop.
    Cancelled,
}

/// What was generated.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Generation {
    /// The new tokens, without the stop token.
    pub tokens: Vec<u32>,
    /// Why there are no more.
    pub end: End,
    /// Seconds until the first token was chosen.
    pub prefill_seconds: f64,
    /// Seconds for the tokens after it.
    pub decode_seconds: f64,
}

impl Model {
    /// Continues `prompt`, calling `on_token` with each new token as it is chosen; `Break` ends the text
    /// after that token.
    ///
    /// # Errors
    /// As [`Model::prefill`], and [`Error::Sampling`] where a sampling parameter is out of range.
    pub fn generate(
        &self,
        prompt: &[u32],
        options: &GenerateOptions,
        on_token: &mut dyn FnMut(u32) -> ControlFlow<()>,
    ) -> Result<Generation, Error> {
        let _ = (prompt, options, on_token);
        unimplemented!()
    }
}
