//! Checkpoints: a Hugging Face folder or a GGUF file, opened behind one set of names.
//!
//! [`Checkpoint::open`] reads and checks everything but the numbers: configuration, tokenizer,
//! chat template, and that each tensor the model needs is there with the right shape, in a type
//! that can be read. Files are memory-mapped; a tensor's numbers are read when asked for, and
//! refused where one is NaN or infinite.
//!
//! Tensors go by their Hugging Face names (`model.layers.0.self_attn.q_proj.weight`), and are
//! stored as `nn.Linear` stores them, `[out, in]`. Rotary position embedding is always
//! half-split: the rows of W_q and W_k that GGUF interleaves are put back in order, which is
//! exact, since rows move as a whole.
//!
//! Files are taken to be hostile. A setting that is neither implemented nor known to leave the
//! mathematics alone is refused by name, and so is a tensor that the model would not use.

mod config;
mod decode;
pub(crate) mod decoder;
mod error;
mod folder;
pub(crate) mod format;
pub(crate) mod gguf;
mod gguf_checkpoint;
mod map;
mod names;
mod provenance;
mod safetensors;
pub(crate) mod settings;
mod stop;
mod validate;
pub(crate) mod weights;

use std::path::Path;
use std::sync::Arc;

use candle_core::Tensor;
use candle_core::quantized::{GgmlDType, QTensor};

pub use config::{Activation, Config, Rope, RopeScaling};
pub use error::Error;
pub use gguf::GgufError;
pub use provenance::Provenance;

use crate::store::EmbeddedModel;
use crate::tokenizer::Tokenizer;
use weights::Weights;

/// An open checkpoint: configuration, tokenizer and the way to its weights.
pub struct Checkpoint {
    config: Config,
    tokenizer: Tokenizer,
    chat_template: Option<String>,
    stop_tokens: Vec<u32>,
    provenance: Provenance,
    weights: Arc<Weights>,
}

impl Checkpoint {
    /// Opens a folder (config.json, model.safetensors, tokenizer.json), a GGUF file, or the
    /// [address](crate::store::EmbeddedModel::address) of a model that is built in.
    ///
    /// # Errors
    /// What is missing, damaged or not supported, by name.
    pub fn open(path: &Path) -> Result<Self, Error> {
        if EmbeddedModel::at(path).is_some() {
            return gguf_checkpoint::open(path);
        }
        let metadata = std::fs::metadata(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        if metadata.is_dir() {
            return folder::open(path);
        }
        if path
            .extension()
            .is_some_and(|ending| ending == "safetensors" || ending == "json")
        {
            return Err(Error::NotACheckpoint {
                path: path.to_owned(),
            });
        }
        gguf_checkpoint::open(path)
    }

    /// The decoder's shape and constants.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The tokenizer that belongs to the weights.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The chat template (Jinja), if the checkpoint has one. See [`crate::chat::render`].
    #[must_use]
    pub fn chat_template(&self) -> Option<&str> {
        self.chat_template.as_deref()
    }

    /// Tokens that end a generated answer, ascending.
    #[must_use]
    pub fn stop_tokens(&self) -> &[u32] {
        &self.stop_tokens
    }

    /// Where the numbers come from.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// A tensor's shape.
    ///
    /// # Errors
    /// [`Error::MissingTensor`].
    pub fn shape(&self, name: &str) -> Result<&[usize], Error> {
        Ok(&self.weights.get(name)?.shape)
    }

    /// The type that a tensor is stored in.
    ///
    /// # Errors
    /// [`Error::MissingTensor`].
    pub fn stored_type(&self, name: &str) -> Result<GgmlDType, Error> {
        Ok(self.weights.get(name)?.dtype)
    }

    /// A whole tensor, dequantised to f32, on the threads of rayon's current pool.
    ///
    /// # Errors
    /// [`Error::MissingTensor`]; [`Error::NotFinite`] where a weight is NaN or infinite.
    pub fn tensor_f32(&self, name: &str) -> Result<Tensor, Error> {
        self.weights.tensor_f32(name)
    }

    /// Rows `ids` of a matrix, dequantised to f32 `[ids.len(), columns]`, without reading the
    /// rest of it.
    ///
    /// # Errors
    /// As [`Checkpoint::tensor_f32`], and [`Error::RowOutOfRange`].
    pub fn rows_f32(&self, name: &str, ids: &[u32]) -> Result<Tensor, Error> {
        self.weights.rows_f32(name, ids)
    }

    /// A matrix in the type it is stored in (quantised, f16, bf16 or f32), `[out, in]`.
    ///
    /// # Errors
    /// As [`Checkpoint::tensor_f32`].
    pub fn quantized(&self, name: &str) -> Result<QTensor, Error> {
        self.weights.quantized(name)
    }
}
