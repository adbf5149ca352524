//! What can go wrong while a model is loaded or run.

use crate::checkpoint;

/// Why a model cannot be loaded, or a run was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::Error),
    /// No tokens were given.
    #[error("there are no tokens to read; give at least one")]
    NoTokens,
    /// The tokens do not fit into the model's context.
    #[error("{tokens} tokens are {excess} more than the {context} that the model reads; shorten the text by that many", excess = tokens - context)]
    TooLong {
        /// How many tokens there would be, those already in the cache included.
        tokens: usize,
        /// The model's context length.
        context: usize,
    },
    /// A token id that the embedding table does not have.
    #[error(
        "token id {id} at position {position} is out of range: the vocabulary has {vocab} entries"
    )]
    TokenOutOfRange {
        /// The id.
        id: u32,
        /// Its index among the tokens given.
        position: usize,
        /// Size of the vocabulary.
        vocab: usize,
    },
    /// Logits were asked for at a position that the text does not have.
    #[error("logits were asked for at position {position}, but there are {tokens} tokens")]
    PositionOutOfRange {
        /// The position.
        position: usize,
        /// How many tokens there are.
        tokens: usize,
    },
    /// A layer was asked for that the model does not have.
    #[error("layer {layer} does not exist: the model has {layers} layers, counted from 0")]
    LayerOutOfRange {
        /// The layer.
        layer: usize,
        /// How many there are.
        layers: usize,
    },
    /// Logits were asked for of a model that only attends.
    #[error(
        "this {architecture} model has no output head: it shows where words look and predicts nothing; ask it with look, who, map or explain"
    )]
    NoOutputHead {
        /// The architecture.
        architecture: &'static str,
    },
    /// Parts of a logit were asked for of a model whose logits are no sum of parts.
    #[error("a logit of this model is no sum of parts of the residual stream: it has {what}")]
    NotLinear {
        /// What makes them nonlinear.
        what: &'static str,
    },
    /// A model in which every token sees every other was asked to read token by token.
    #[error(
        "this {architecture} model reads a text as a whole and does not continue it; ask it with look, fill or explain"
    )]
    Bidirectional {
        /// The architecture.
        architecture: &'static str,
    },
    /// A cache of another model, or of another shape, was given.
    #[error("the key/value cache was made for another model: {what}")]
    Cache {
        /// What does not agree.
        what: String,
    },
    /// A sampling parameter is out of range.
    #[error("{name} is {value}, but must be {expected}")]
    Sampling {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f32,
        /// What it may be.
        expected: &'static str,
    },
    /// A run was to be changed in a way that its model or text does not allow.
    #[error("the run cannot be changed so: {what}")]
    Intervention {
        /// What is wrong.
        what: String,
    },
    /// Numbers stopped being finite.
    #[error(
        "the logits at position {position} are not finite; the weights are damaged or too large for f32"
    )]
    NotFinite {
        /// The position.
        position: usize,
    },
    /// A hook asked the run to stop.
    #[error("stopped before layer {layer}")]
    Cancelled {
        /// The layer that was not run.
        layer: usize,
    },
    /// The tensor library refused an operation.
    #[error("the tensor library failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The attention kernel refused its input.
    #[error(transparent)]
    Attention(#[from] lookback_attention::Error),
    /// A trace could not be built.
    #[error(transparent)]
    Trace(#[from] lookback_trace::Error),
}
