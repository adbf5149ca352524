//! A checkpoint once it is open.

use std::sync::Arc;

use candle_core::Tensor;
use candle_core::quantized::QTensor;

use super::family::Family;
use super::weights::Weights;
use super::{Error, Provenance, StoredType};
use crate::spec::{Spec, Tensor as Named};
use crate::tokenizer::Tokenizer;

/// An open checkpoint: specification, tokenizer and the way to its weights.
pub struct Checkpoint {
    pub(super) spec: Spec,
    pub(super) family: &'static Family,
    pub(super) tokenizer: Tokenizer,
    pub(super) chat_template: Option<String>,
    pub(super) stop_tokens: Vec<u32>,
    pub(super) provenance: Provenance,
    pub(super) weights: Arc<Weights>,
    pub(super) notes: Vec<String>,
}

impl Checkpoint {
    /// What the model is made of.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The name of a tensor of the specification, of a layer or outside.
    pub(crate) fn name(&self, layer: Option<usize>, tensor: Named) -> String {
        self.family.canonical_name(layer, tensor)
    }

    /// The tensors in their files, by the names that [`Checkpoint::name`] gives.
    pub(crate) fn weights(&self) -> &Arc<Weights> {
        &self.weights
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

    /// Notes for whoever uses the model, a sentence each: where files say two things, which of them counts.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
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
    pub fn stored_type(&self, name: &str) -> Result<StoredType, Error> {
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

    /// A matrix in the type it is stored in (quantised, f16, bf16 or f32), `[out, in]`; in f32 where candle does not know that type.
    ///
    /// # Errors
    /// As [`Checkpoint::tensor_f32`].
    pub fn quantized(&self, name: &str) -> Result<QTensor, Error> {
        self.weights.quantized(name)
    }
}
