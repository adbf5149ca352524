//! Reading many tokens at once, and one more at a time.

use lookback_trace::{Meta, Trace};
use ndarray::{Array1, Array2, Axis};

use super::pass::{Keep, Pass};
use super::{Hooks, Interventions, KvCache, Logits, Prefill, PrefillOptions, TraceOptions, Traced};
use crate::families::Shape;
use crate::{Encoding, Error, Model};

impl Model {
    /// Reads `tokens` (at least one, at most the context length) in one pass.
    ///
    /// # Errors
    /// [`Error::NoTokens`], [`Error::TooLong`], [`Error::TokenOutOfRange`], [`Error::PositionOutOfRange`],
    /// [`Error::NotFinite`].
    pub fn prefill(&self, tokens: &[u32], options: &PrefillOptions) -> Result<Prefill, Error> {
        self.prefill_with(tokens, options, &())
    }

    /// [`Model::prefill`], reporting to `hooks`.
    ///
    /// # Errors
    /// As [`Model::prefill`], [`Error::Cancelled`] where a hook asks to stop, and [`Error::Intervention`].
    pub fn prefill_with(
        &self,
        tokens: &[u32],
        options: &PrefillOptions,
        hooks: &dyn Hooks,
    ) -> Result<Prefill, Error> {
        self.check_tokens(tokens, 0)?;
        if let Some(interventions) = hooks.interventions() {
            interventions.validate(self.shape(), Some(tokens.len()))?;
        }
        let wanted = wanted_rows(&options.logits, tokens.len())?;
        let keep = Keep {
            trace: options.trace,
            values: options.keep_v,
        };
        let mut cache = options.cache.then(|| KvCache::empty(self.shape()));
        let mut layers = Vec::new();
        let mut pass = Pass::begin(self.family(), hooks, (tokens, 0), &wanted)?;
        for layer in 0..self.shape().layers {
            layers.extend(pass.layer(layer, keep, cache.as_mut())?);
        }
        let (hidden, logits) = pass.finish()?;
        if let Some(cache) = &mut cache {
            cache.count(tokens.len());
        }
        Ok(Prefill {
            logits,
            layers,
            hidden,
            cache,
        })
    }

    /// Reads one more token after those in `cache`, and gives the logits that follow it, \[vocabulary\].
    ///
    /// # Errors
    /// As [`Model::extend`].
    pub fn decode(&self, token: u32, cache: &mut KvCache) -> Result<Array1<f32>, Error> {
        let logits = self.extend(&[token], &Logits::Last, cache)?;
        Ok(logits.index_axis_move(Axis(0), 0))
    }

    /// Reads `tokens` after those in `cache`, which they join; gives the logits at the positions asked for, counted
    /// among the new tokens: \[positions, vocabulary\]. Where it fails, `cache` is as it was.
    ///
    /// # Errors
    /// As [`Model::prefill`], and [`Error::Cache`] where `cache` belongs to another model.
    pub fn extend(
        &self,
        tokens: &[u32],
        logits: &Logits,
        cache: &mut KvCache,
    ) -> Result<Array2<f32>, Error> {
        self.extend_with(tokens, logits, cache, &())
    }

    /// [`Model::extend`], reporting to `hooks`. Interventions name positions of the whole text, those of the cache
    /// included; what they change in tokens that were read before changes nothing any more.
    ///
    /// # Errors
    /// As [`Model::extend`], [`Error::Cancelled`] and [`Error::Intervention`].
    pub fn extend_with(
        &self,
        tokens: &[u32],
        logits: &Logits,
        cache: &mut KvCache,
        hooks: &dyn Hooks,
    ) -> Result<Array2<f32>, Error> {
        if let Some(interventions) = hooks.interventions() {
            interventions.validate(self.shape(), None)?;
        }
        cache.check(self.shape())?;
        self.check_tokens(tokens, cache.len())?;
        let wanted = wanted_rows(logits, tokens.len())?;
        let keep = Keep {
            trace: false,
            values: false,
        };
        let mut pass = Pass::begin(self.family(), hooks, (tokens, cache.len()), &wanted)?;
        for layer in 0..self.shape().layers {
            pass.layer(layer, keep, Some(&mut *cache))?;
        }
        let (_, logits) = pass.finish()?;
        cache.count(tokens.len());
        Ok(logits)
    }

    /// Reads an encoded text and keeps what is needed to answer any question about its weights.
    ///
    /// # Errors
    /// As [`Model::prefill_with`], and [`Error::Trace`].
    pub fn trace(
        &self,
        encoding: &Encoding,
        options: &TraceOptions,
        hooks: &dyn Hooks,
    ) -> Result<Traced, Error> {
        let prefill = PrefillOptions {
            logits: options.logits.clone(),
            trace: true,
            keep_v: options.keep_v,
            cache: false,
        };
        let prefill = self.prefill_with(&encoding.ids, &prefill, hooks)?;
        let provenance = self.checkpoint().provenance();
        let meta = Meta {
            model: options
                .model_name
                .clone()
                .unwrap_or_else(|| provenance.name().to_owned()),
            model_sha256: options.model_sha256.clone(),
            library: concat!("lookback ", env!("CARGO_PKG_VERSION")).to_owned(),
            text: encoding.text.clone(),
            tokens: encoding.ids.clone(),
            spans: encoding.spans.clone(),
            prefix_tokens: encoding.prefix_tokens,
            token_texts: self
                .tokenizer()
                .prefix_texts(encoding)
                .into_iter()
                .map(Some)
                .collect(),
            layers: (0..self.shape().layers)
                .map(|layer| self.family().scoring(layer))
                .collect(),
            interventions: hooks
                .interventions()
                .map(Interventions::record)
                .unwrap_or_default(),
            ..Meta::default()
        };
        Ok(Traced {
            trace: Trace::new(meta, prefill.layers)?,
            logits: prefill.logits,
        })
    }

    /// Rows of the embedding table, as the first layer reads them: \[tokens, d\].
    ///
    /// # Errors
    /// [`Error::TokenOutOfRange`].
    pub fn embeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error> {
        self.check_ids(tokens)?;
        self.family().embeddings(tokens)
    }

    /// Refuses tokens that cannot be read after `before` others.
    pub(super) fn check_tokens(&self, tokens: &[u32], before: usize) -> Result<(), Error> {
        let Shape { context, .. } = *self.shape();
        if tokens.is_empty() {
            return Err(Error::NoTokens);
        }
        if before + tokens.len() > context {
            return Err(Error::TooLong {
                tokens: before + tokens.len(),
                context,
            });
        }
        self.check_ids(tokens)
    }

    pub(super) fn check_ids(&self, tokens: &[u32]) -> Result<(), Error> {
        let Shape { vocab, .. } = *self.shape();
        match tokens.iter().position(|&id| id as usize >= vocab) {
            None => Ok(()),
            Some(position) => Err(Error::TokenOutOfRange {
                id: tokens[position],
                position,
                vocab,
            }),
        }
    }
}

/// The positions whose logits are asked for, among `n`.
fn wanted_rows(logits: &Logits, n: usize) -> Result<Vec<usize>, Error> {
    let rows = match logits {
        Logits::None => Vec::new(),
        Logits::Last => vec![n - 1],
        Logits::All => (0..n).collect(),
        Logits::At(positions) => positions.clone(),
    };
    match rows.iter().find(|&&position| position >= n) {
        None => Ok(rows),
        Some(&position) => Err(Error::PositionOutOfRange {
            position,
            tokens: n,
        }),
    }
}
