//! A model that is ready to run.

use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::Checkpoint;
use crate::engine::Engine;
use crate::spec::Spec;
use crate::tokenizer::Tokenizer;
use crate::{Error, LoadOptions, WeightsKind};

/// A model with its weights and tokenizer.
pub struct Model {
    checkpoint: Arc<Checkpoint>,
    engine: Engine,
    options: LoadOptions,
}

impl Model {
    /// Loads a Hugging Face folder or a GGUF file.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where it is missing, damaged or unsupported.
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self, Error> {
        Self::from_checkpoint(Checkpoint::open(path)?, options)
    }

    /// Loads the weights of an open checkpoint.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn from_checkpoint(checkpoint: Checkpoint, options: &LoadOptions) -> Result<Self, Error> {
        let checkpoint = Arc::new(checkpoint);
        Ok(Self {
            engine: Engine::load(checkpoint.clone(), options.weights)?,
            checkpoint,
            options: *options,
        })
    }

    /// What the model is made of.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        self.checkpoint.spec()
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

    /// Notes for whoever uses the model, a sentence each: where the checkpoint says two things, which of them counts.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        self.checkpoint.notes()
    }

    /// In which form the weights are held.
    #[must_use]
    pub fn weights(&self) -> WeightsKind {
        self.options.weights
    }

    /// Which numbers the products are computed on, in words: each type that weights are held in, and what the file
    /// stores where that is another. For example `f32 (dequantised from Q4_1 and Q8_0)`, or
    /// `Q8_0 (from Q4_1 and Q8_0)`.
    #[must_use]
    pub fn weights_description(&self) -> String {
        self.engine.weights_description()
    }

    /// Whether the model can say what comes next; one without an output head only looks.
    #[must_use]
    pub fn has_output_head(&self) -> bool {
        self.spec().head.is_some()
    }

    /// Refuses a model in which no part of a logit belongs to one head alone.
    ///
    /// # Errors
    /// [`Error::NotLinear`], and [`Error::NoOutputHead`].
    pub fn check_linear(&self) -> Result<(), Error> {
        match self.spec().nonlinear_path() {
            None => Ok(()),
            Some(_) if self.spec().head.is_none() => Err(Error::NoOutputHead {
                architecture: self.spec().architecture,
            }),
            Some(what) => Err(Error::NotLinear { what }),
        }
    }

    /// The layers whose heads are the model's answer to where a word points: of a language model all of them, of the
    /// `pronoun` model the last, the pointer, which was trained to be read.
    #[must_use]
    pub fn answering_layers(&self) -> std::ops::Range<usize> {
        self.engine.answering_layers()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}
