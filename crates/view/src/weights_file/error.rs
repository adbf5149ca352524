//! Why a file of weights was not written.

use std::io;
use std::path::PathBuf;

/// Why a file of weights was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file's name does not say in which form.
    #[error("{}: weights are saved as .npy or .parquet; give the file one of these endings", .path.display())]
    Ending {
        /// The file.
        path: PathBuf,
    },
    /// There is no such head.
    #[error(transparent)]
    Heads(#[from] lookback_heads::Error),
    /// The trace's numbers are damaged.
    #[error(transparent)]
    Trace(#[from] lookback_trace::Error),
    /// The file could not be written.
    #[error("{0}")]
    Write(#[from] io::Error),
    /// It was asked to stop.
    #[error("the weights were not written to their end: cancelled")]
    Cancelled,
}
