//! What can go wrong with a trace.

use std::ops::Range;
use std::path::PathBuf;

/// Why a trace could not be built, asked, saved or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A part of the trace contradicts another, or the format.
    #[error("the trace is inconsistent: {0}")]
    Inconsistent(String),
    /// A number that no run with sound weights leaves behind.
    #[error(
        "layers.{layer}.{tensor} holds {value} for head {head}, token {token}: \
         the model that ran has damaged weights, or the trace is damaged"
    )]
    BadNumber {
        /// Layer, from 0.
        layer: usize,
        /// Which of the layer's tensors.
        tensor: &'static str,
        /// Head of that tensor, from 0.
        head: usize,
        /// Index of the token.
        token: usize,
        /// The offending value.
        value: f32,
    },
    /// A weight came out that no softmax yields.
    #[error(
        "head {layer}.{head}: the weight of query {i} on key {j} comes out as {value}, outside 0..1: \
         the log-sum-exp does not belong to these queries and keys; make the trace again"
    )]
    NotAWeight {
        /// Layer, from 0.
        layer: usize,
        /// Query head, from 0.
        head: usize,
        /// Index of the query.
        i: usize,
        /// Index of the key.
        j: usize,
        /// What came out.
        value: f32,
    },
    /// The weights of a query do not sum to 1.
    #[error(
        "head {layer}.{head}: the weights of query {i} sum to {sum}, not 1: the log-sum-exp does not belong to \
         these queries and keys; make the trace again"
    )]
    NotARow {
        /// Layer, from 0.
        layer: usize,
        /// Query head, from 0.
        head: usize,
        /// Index of the query.
        i: usize,
        /// What they sum to.
        sum: f64,
    },
    /// There is no such layer.
    #[error("there is no layer {layer}: this trace has layers {layers}")]
    NoSuchLayer {
        /// The layer asked for.
        layer: usize,
        /// Which layers there are, as `0 to 11` or `3, 7`.
        layers: String,
    },
    /// The layer has no softmax attention.
    #[error(
        "layer {layer} is {kind}, not softmax attention, so that it has no weights; this trace has layers {layers}"
    )]
    NotAttention {
        /// The layer asked for.
        layer: usize,
        /// What it is.
        kind: String,
        /// Which layers there are.
        layers: String,
    },
    /// There is no such head.
    #[error("there is no head {layer}.{head}: layer {layer} has heads {heads}")]
    NoSuchHead {
        /// The layer asked for.
        layer: usize,
        /// The head asked for.
        head: usize,
        /// Which query heads of that layer there are, as `0 to 8`.
        heads: String,
    },
    /// The question needs queries and keys that are the same tokens.
    #[error(
        "{what} needs queries and keys that are the same tokens, and this trace is of cross-attention: {n} queries look at \
         {m} keys that are others; `lookback map` and `lookback export --weights` show its weights"
    )]
    CrossAttention {
        /// What was asked for, as the sentence begins.
        what: &'static str,
        /// How many queries there are.
        n: usize,
        /// How many keys there are.
        m: usize,
    },
    /// The question needs the values' norms.
    #[error(
        "this trace holds no value norms (vnorm), which say how far a key's value moves the output"
    )]
    NoVnorm,
    /// There are no such queries or keys.
    #[error("there are no {what} {}..{}: this trace has {n} tokens", .range.start, .range.end)]
    NoSuchTokens {
        /// What was asked for: `queries` or `keys`.
        what: &'static str,
        /// The range asked for.
        range: Range<usize>,
        /// How many of them there are.
        n: usize,
    },
    /// There is no such word.
    #[error("there is no word {word}: the text has {words} words that tokens stand for")]
    NoSuchWord {
        /// The word asked for, from 0.
        word: usize,
        /// How many words there are.
        words: usize,
    },
    /// Values were to be saved from a trace that kept none.
    #[error(
        "this trace kept no values (V), so none can be saved: run the model again and ask it to keep them"
    )]
    NoValues,
    /// A number is too large for f16 or bf16.
    #[error(
        "layers.{layer}.{tensor} holds {value} for head {head}, token {token}, which {dtype} cannot: \
         save the trace as f32"
    )]
    TooLargeFor {
        /// The type's name.
        dtype: &'static str,
        /// Layer, from 0.
        layer: usize,
        /// Which of the layer's tensors.
        tensor: &'static str,
        /// Head of that tensor, from 0.
        head: usize,
        /// Index of the token.
        token: usize,
        /// The offending value.
        value: f32,
    },
    /// Rounding to f16 or bf16 moves a row's scores too far for its weights to be computed.
    #[error(
        "head {layer}.{head}: the scores of query {i} are too large to survive rounding to {dtype}: save the trace as f32"
    )]
    ScoresTooLargeFor {
        /// The type's name.
        dtype: &'static str,
        /// Layer, from 0.
        layer: usize,
        /// Query head, from 0.
        head: usize,
        /// Index of the query.
        i: usize,
    },
    /// The file is not what it should be.
    #[error("{} is not a trace that this version reads: {reason}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file could not be read.
    #[error("could not read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file was written to while it was in use.
    #[error("{} was overwritten or shortened while it was in use: open it again once it is whole", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be written; nothing of it is left behind.
    #[error("could not save {}: {source}; nothing was left half-written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Whoever watched the saving asked to stop.
    #[error("stopped before {} was saved; nothing was left half-written", .path.display())]
    Cancelled {
        /// The file.
        path: PathBuf,
    },
    /// The attention crate refused the question.
    #[error(transparent)]
    Attention(#[from] lookback_attention::Error),
}

/// An [`Error::Inconsistent`] unless `holds`.
pub(crate) fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), Error> {
    if holds {
        Ok(())
    } else {
        Err(Error::Inconsistent(reason()))
    }
}
