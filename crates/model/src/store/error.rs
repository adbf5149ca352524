//! What can go wrong while a model is found or fetched.

use std::path::PathBuf;

/// Why a model could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No place to keep models.
    #[error("no cache directory: there is no home directory; set LOOKBACK_CACHE to a directory for models")]
    NoCacheDirectory,
    /// The name is no known model, no hub address and no file.
    #[error("model {spec:?} is neither a known name nor an existing file or folder; {hint}")]
    UnknownModel {
        /// What was asked for.
        spec: String,
        /// What it may have been meant to be.
        hint: String,
    },
    /// A hub address that is not one.
    #[error("{spec:?} is not a model on the hub: {why}; write hf:OWNER/NAME or hf:OWNER/NAME/FILE")]
    Spec {
        /// What was asked for.
        spec: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was being done, as a verb: `read`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The caller asked to stop.
    #[error("interrupted; nothing half-fetched is in use")]
    Interrupted,
}
