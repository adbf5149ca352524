//! Why a picture was not drawn.

use std::io;

/// Why a picture was not drawn to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What was asked has no answer.
    #[error(transparent)]
    Heads(#[from] lookback_heads::Error),
    /// The lines could not be written.
    #[error("cannot write the answer")]
    Write(#[from] io::Error),
}
