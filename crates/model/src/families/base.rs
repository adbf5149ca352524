//! What families have in common before their first layer: the checkpoint, the sizes, embeddings and rotary angles.

use std::sync::Arc;

use ndarray::{Array2, ArrayView1};

use super::parts::{Activations, Shape};
use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::layers::{RopeFrequencies, to_array};

/// A decoder before its layers.
pub(crate) struct Base {
    checkpoint: Arc<Checkpoint>,
    /// The embedding table's name.
    embeddings: &'static str,
    shape: Shape,
    frequencies: RopeFrequencies,
}

impl Base {
    /// Of a checkpoint whose embedding table has this name.
    pub(super) fn new(checkpoint: Arc<Checkpoint>, embeddings: &'static str) -> Self {
        let config = checkpoint.config();
        Self {
            shape: Shape {
                layers: config.layers,
                heads: config.heads,
                kv_heads: config.kv_heads,
                d_k: config.head_dim,
                d_v: config.head_dim,
                vocab: config.vocab,
                context: config.context_length,
            },
            frequencies: RopeFrequencies::new(&config.rope, config.head_dim),
            embeddings,
            checkpoint,
        }
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(super) fn checkpoint(&self) -> &Arc<Checkpoint> {
        &self.checkpoint
    }

    /// Rows of the embedding table: \[tokens, d\].
    pub(super) fn embeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error> {
        self.rows(self.embeddings, tokens)
    }

    /// Rows of the matrix of this name: \[tokens, d\].
    fn rows(&self, name: &str, tokens: &[u32]) -> Result<Array2<f32>, Error> {
        to_array(&self.checkpoint.rows_f32(name, tokens)?)
    }

    /// Rows of the output head called `name` with the final norm's `gain` in them: \[tokens, d\].
    pub(super) fn unembeddings(
        &self,
        name: &str,
        gain: &[f32],
        tokens: &[u32],
    ) -> Result<Array2<f32>, Error> {
        Ok(self.rows(name, tokens)? * ArrayView1::from(gain))
    }

    /// The first layer's input for `tokens`, of which the first stands at position `first`.
    pub(super) fn begin(&self, tokens: &[u32], first: usize) -> Result<Activations, Error> {
        Ok(Activations {
            hidden: self.embeddings(tokens)?,
            rotation: Some(self.frequencies.table(first, tokens.len())),
        })
    }
}
