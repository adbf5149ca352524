//! Text generation: prefill, then one token at a time.

mod sampler;

use std::ops::ControlFlow;
use std::time::Instant;

use ndarray::{Array1, Axis};
pub use sampler::{Sampler, Sampling};

use crate::{Error, Hooks, Interventions, KvCache, Logits, Model, PrefillOptions};

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
    /// Seconds that reading the prompt took.
    pub prefill_seconds: f64,
    /// Seconds that choosing the tokens took, and reading all but the last of them.
    pub decode_seconds: f64,
}

impl Model {
    /// Continues `prompt`, calling `on_token` with each new token as it is chosen; `Break` ends the text after that
    /// token. `hooks` hear of the prompt's progress; their interventions hold for the whole text.
    ///
    /// # Errors
    /// As [`Model::prefill_with`]; [`Error::Sampling`] where a sampling parameter is out of range; [`Error::Bidirectional`]
    /// where the model does not read token by token.
    pub fn generate(
        &self,
        prompt: &[u32],
        options: &GenerateOptions,
        hooks: &dyn Hooks,
        on_token: &mut dyn FnMut(u32) -> ControlFlow<()>,
    ) -> Result<Generation, Error> {
        let mut sampler = Sampler::new(options.sampling)?;
        self.check_reads_on()?;
        let start = Instant::now();
        let (mut logits, mut cache) = self.read_whole(prompt, hooks)?;
        let prefill_seconds = start.elapsed().as_secs_f64();
        let mut tokens = Vec::new();
        let start = Instant::now();
        let end = loop {
            if tokens.len() == options.max_tokens {
                break End::MaxTokens;
            }
            let token = sampler.sample(logits.view());
            if options.stop_tokens.contains(&token) {
                break End::Stop(token);
            }
            tokens.push(token);
            if on_token(token).is_break() {
                break End::Cancelled;
            }
            if cache.len() == self.spec().context_length {
                break End::ContextFull;
            }
            if tokens.len() < options.max_tokens {
                if self.spec().turns_anew_after() == Some(cache.len()) {
                    let all = [prompt, &tokens].concat();
                    (logits, cache) = self.read_again(&all, hooks.interventions())?;
                    continue;
                }
                logits = match hooks.interventions() {
                    None => self.decode(token, &mut cache)?,
                    Some(changes) => self
                        .extend_with(&[token], &Logits::Last, &mut cache, changes)?
                        .index_axis_move(Axis(0), 0),
                };
            }
        };
        Ok(Generation {
            tokens,
            end,
            prefill_seconds,
            decode_seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// The logits after a text, and a cache of it.
    fn read_whole(
        &self,
        tokens: &[u32],
        hooks: &dyn Hooks,
    ) -> Result<(Array1<f32>, KvCache), Error> {
        let options = PrefillOptions {
            logits: Logits::Last,
            cache: true,
            ..PrefillOptions::default()
        };
        let prefill = self.prefill_with(tokens, &options, hooks)?;
        let cache = prefill
            .cache
            .unwrap_or_else(|| unreachable!("a cache was asked for"));
        Ok((prefill.logits.index_axis_move(Axis(0), 0), cache))
    }

    /// [`Model::read_whole`] of a text whose keys in the cache were turned for a shorter one.
    fn read_again(
        &self,
        tokens: &[u32],
        changes: Option<&Interventions>,
    ) -> Result<(Array1<f32>, KvCache), Error> {
        match changes {
            Some(changes) => self.read_whole(tokens, &changes.and(&())),
            None => self.read_whole(tokens, &()),
        }
    }
}
