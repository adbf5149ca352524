//! Why a table was not saved.

use std::io;
use std::path::PathBuf;

/// Why a table was not saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file's name does not say in which form.
    #[error("{}: a table is saved as .json, .csv, .parquet or .npy; give the file one of these endings", .path.display())]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be written; what was there before still is.
    #[error("cannot save {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
