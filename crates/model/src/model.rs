//! A model that is ready to run.

use std::path::Path;

use ndarray::{Array1, Array2};

use crate::Error;
use crate::checkpoint::{Checkpoint, Config};
use crate::run::{Hooks, KvCache, LayerInternals, Prefill, PrefillOptions, TraceOptions, Traced};
use crate::tokenizer::{Encoding, Tokenizer};

/// In which form the weights are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightsKind {
    /// Dequantised to f32: what traces, analyses and reference values are computed with.
    #[default]
    F32,
    /// Quantised, for faster decoding; numbers differ slightly from f32's.
    Quantized,
}

/// How a model is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadOptions {
    /// In which form the weights are held.
    pub weights: WeightsKind,
}

/// A decoder with its weights and tokenizer.
pub struct Model {
    checkpoint: Checkpoint,
    options: LoadOptions,
}

impl Model {
    /// Loads a Hugging Face folder or a GGUF file.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where it is missing, damaged or unsupported; [`Error::Architecture`].
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self, Error> {
        Self::from_checkpoint(Checkpoint::open(path)?, options)
    }

    /// Loads the weights of an open checkpoint.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn from_checkpoint(checkpoint: Checkpoint, options: &LoadOptions) -> Result<Self, Error> {
        Ok(Self {
            checkpoint,
            options: *options,
        })
    }

    /// The decoder's shape and constants.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.checkpoint.config()
    }

    /// The tokenizer that belongs to the weights.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        self.checkpoint.tokenizer()
    }

    /// The checkpoint that the weights come from: chat template, stop tokens, provenance.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// In which form the weights are held.
    #[must_use]
    pub fn weights(&self) -> WeightsKind {
        self.options.weights
    }

    /// Which numbers the products are computed on, in words, for example `f32 (dequantised from Q4_1)`.
    #[must_use]
    pub fn weights_description(&self) -> String {
        unimplemented!()
    }

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
    /// As [`Model::prefill`], and [`Error::Cancelled`] where a hook asks to stop.
    pub fn prefill_with(
        &self,
        tokens: &[u32],
        options: &PrefillOptions,
        hooks: &dyn Hooks,
    ) -> Result<Prefill, Error> {
        let _ = (tokens, options, hooks);
        unimplemented!()
    }

    /// Reads one more token after those in `cache`, and gives the logits that follow it, \[vocabulary\].
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::TokenOutOfRange`], [`Error::Cache`], [`Error::NotFinite`].
    pub fn decode(&self, token: u32, cache: &mut KvCache) -> Result<Array1<f32>, Error> {
        let _ = (token, cache);
        unimplemented!()
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
        let _ = (encoding, options, hooks);
        unimplemented!()
    }

    /// Everything that layer `layer` computes on `tokens`; the layers before it are run, those after it are not.
    ///
    /// # Errors
    /// As [`Model::prefill`], and [`Error::LayerOutOfRange`].
    pub fn inspect(&self, tokens: &[u32], layer: usize) -> Result<LayerInternals, Error> {
        let _ = (tokens, layer);
        unimplemented!()
    }

    /// Rows of the embedding table, as the first layer reads them: \[tokens, d\].
    ///
    /// # Errors
    /// [`Error::TokenOutOfRange`].
    pub fn embeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error> {
        let _ = tokens;
        unimplemented!()
    }
}
