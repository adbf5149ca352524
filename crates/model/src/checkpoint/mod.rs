//! Checkpoints: a Hugging Face folder or a GGUF file, opened behind one set of names.
//!
//! [`Checkpoint::open`] reads and checks everything but the numbers: configuration, tokenizer,
//! chat template, and that each tensor the model needs is there with the right shape, in a type
//! that can be read. Files are memory-mapped; a tensor's numbers are read when asked for.
//!
//! Tensors go by their Hugging Face names (`model.layers.0.self_attn.q_proj.weight`), and are
//! stored as `nn.Linear` stores them, `[out, in]`. Rotary position embedding is always
//! half-split: the rows of W_q and W_k that GGUF interleaves are put back in order.

pub mod config;
mod error;

use std::path::Path;

use candle_core::Tensor;
use candle_core::quantized::QTensor;

pub use config::{Activation, Config, Rope, RopeScaling};
pub use error::Error;

use crate::tokenizer::Tokenizer;

/// An open checkpoint: configuration, tokenizer and the way to its weights.
pub struct Checkpoint {
    config: Config,
    tokenizer: Tokenizer,
    chat_template: Option<String>,
    stop_tokens: Vec<u32>,
    provenance: Provenance,
}

/// Where a checkpoint's numbers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The model's own name (GGUF `general.name`, or the folder's name).
    pub name: String,
    /// The file that was opened, or the folder.
    pub path: std::path::PathBuf,
    /// The weight files, in order.
    pub weight_files: Vec<std::path::PathBuf>,
}

impl Provenance {
    /// SHA-256 of the weight file, in lower-case hexadecimal; of several shards, the SHA-256 of
    /// their digests, in order. It reads every byte.
    ///
    /// # Errors
    /// [`Error::Io`] where a file can no longer be read.
    pub fn sha256(&self) -> Result<String, Error> {
        unimplemented!()
    }
}

impl Checkpoint {
    /// Opens a folder (config.json, model.safetensors, tokenizer.json) or a GGUF file.
    ///
    /// # Errors
    /// What is missing, damaged or not supported, by name.
    pub fn open(_path: &Path) -> Result<Self, Error> {
        unimplemented!()
    }

    /// The decoder's shape and constants.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The tokenizer that belongs to the weights.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The chat template (Jinja), if the checkpoint has one. See [`crate::chat::render`].
    pub fn chat_template(&self) -> Option<&str> {
        self.chat_template.as_deref()
    }

    /// Tokens that end a generated answer, ascending.
    pub fn stop_tokens(&self) -> &[u32] {
        &self.stop_tokens
    }

    /// Where the numbers come from.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// A tensor's shape.
    ///
    /// # Errors
    /// [`Error::MissingTensor`].
    pub fn shape(&self, _name: &str) -> Result<Vec<usize>, Error> {
        unimplemented!()
    }

    /// A whole tensor, dequantised to f32.
    ///
    /// # Errors
    /// [`Error::MissingTensor`]; [`Error::NotFinite`] where a weight is NaN or infinite.
    pub fn tensor_f32(&self, _name: &str) -> Result<Tensor, Error> {
        unimplemented!()
    }

    /// Rows `ids` of a matrix, dequantised to f32 `[ids.len(), columns]`, without reading the
    /// rest of it.
    ///
    /// # Errors
    /// As [`Checkpoint::tensor_f32`], and [`Error::RowOutOfRange`].
    pub fn rows_f32(&self, _name: &str, _ids: &[u32]) -> Result<Tensor, Error> {
        unimplemented!()
    }

    /// A matrix in the type it is stored in (quantised, f16, bf16 or f32).
    ///
    /// # Errors
    /// As [`Checkpoint::tensor_f32`].
    pub fn quantized(&self, _name: &str) -> Result<QTensor, Error> {
        unimplemented!()
    }
}
