//! What keeps a picture from being drawn.

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The trace has no answer.
    #[error(transparent)]
    Trace(#[from] lookback_trace::Error),
    /// A head or a word that does not exist was asked for.
    #[error(transparent)]
    Heads(#[from] lookback_heads::Error),
    /// No score of any head was given.
    #[error("there is nothing to draw: no score of any head")]
    NoScores,
    /// There is nothing in the part that was asked for.
    #[error("there is nothing to draw: {what} {start}..{end} of {n} tokens are none")]
    Nothing {
        /// `queries` or `keys`.
        what: &'static str,
        /// The first.
        start: usize,
        /// After the last.
        end: usize,
        /// How many tokens there are.
        n: usize,
    },
    /// The picture is not wanted any more.
    #[error("cancelled")]
    Cancelled,
    /// A drawing could not be turned into pixels.
    #[error("the drawing could not be turned into pixels: {0}")]
    Pixels(String),
    /// The file could not be written.
    #[error("could not write: {0}")]
    Write(#[from] std::io::Error),
}
