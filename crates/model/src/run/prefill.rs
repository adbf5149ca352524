//! Reading many tokens at once, and one more at a time.

use lookback_trace::{Meta, Trace};
use ndarray::{Array1, Array2, Axis};

use super::pass::{Keep, Pass, Text};
use super::{Hooks, Interventions, KvCache, Logits, Prefill, PrefillOptions, TraceOptions, Traced};
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
        let wanted = self.check_text(tokens, &options.logits, hooks)?;
        let text = Text {
            tokens,
            first: 0,
            hooks,
            wanted: &wanted,
        };
        let mut cache = options.cache.then(|| KvCache::empty(self.spec()));
        let mut layers = Vec::new();
        let mut pass = Pass::begin(self.engine(), vec![text])?;
        for layer in 0..self.spec().layers.len() {
            layers.extend(pass.layer(layer, Keep::of(options), cache.as_mut())?);
        }
        if let Some(cache) = &mut cache {
            cache.count(tokens.len());
        }
        let (hidden, logits) = pass.finish()?.swap_remove(0);
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
    /// As [`Model::prefill`]; [`Error::Cache`] where `cache` belongs to another model; [`Error::Bidirectional`] where every
    /// token sees all others.
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
            interventions.validate(self.spec(), None)?;
        }
        self.check_reads_on()?;
        cache.check(self.spec())?;
        self.check_tokens(tokens, cache.len())?;
        let wanted = wanted_rows(logits, tokens.len())?;
        let text = Text {
            tokens,
            first: cache.len(),
            hooks,
            wanted: &wanted,
        };
        let mut pass = Pass::begin(self.engine(), vec![text])?;
        for layer in 0..self.spec().layers.len() {
            pass.layer(layer, Keep::NOTHING, Some(&mut *cache))?;
        }
        let (_, logits) = pass.finish()?.swap_remove(0);
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
            suffix_tokens: encoding.suffix_tokens,
            token_texts: self.token_texts(encoding),
            layers: (0..self.spec().layers.len())
                .map(|layer| self.engine().scoring(layer).clone())
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

    /// By what text each token is printed that stands for none of the text: those before and after it.
    fn token_texts(&self, encoding: &Encoding) -> Vec<Option<String>> {
        let prefix = self.tokenizer().prefix_texts(encoding);
        let mut texts: Vec<Option<String>> = prefix.into_iter().map(Some).collect();
        if encoding.suffix_tokens > 0 {
            texts.resize(encoding.text_tokens().end, None);
            let suffix = self.tokenizer().suffix_texts(encoding);
            texts.extend(suffix.into_iter().map(Some));
        }
        texts
    }

    /// Rows of the embedding table, as the first layer reads them: \[tokens, d\].
    ///
    /// # Errors
    /// [`Error::TokenOutOfRange`].
    pub fn embeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error> {
        self.check_ids(tokens)?;
        self.engine().embeddings(tokens)
    }

    /// Refuses a text that cannot be read so; gives the positions whose logits are asked for.
    pub(super) fn check_text(
        &self,
        tokens: &[u32],
        logits: &Logits,
        hooks: &dyn Hooks,
    ) -> Result<Vec<usize>, Error> {
        self.check_tokens(tokens, 0)?;
        if let Some(interventions) = hooks.interventions() {
            interventions.validate(self.spec(), Some(tokens.len()))?;
        }
        wanted_rows(logits, tokens.len())
    }

    /// Refuses a model in which what was read before would change with what comes after it.
    pub(crate) fn check_reads_on(&self) -> Result<(), Error> {
        match self.spec().is_bidirectional() {
            false => Ok(()),
            true => Err(Error::Bidirectional {
                architecture: self.spec().architecture,
            }),
        }
    }

    /// Refuses tokens that cannot be read after `before` others.
    pub(super) fn check_tokens(&self, tokens: &[u32], before: usize) -> Result<(), Error> {
        let context = self.spec().context_length;
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
        let vocab = self.spec().vocab;
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
