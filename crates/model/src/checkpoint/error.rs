//! What can be wrong with a checkpoint.

use std::path::PathBuf;

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The checkpoint has no tensor of this name.
    #[error("the checkpoint has no tensor {name}")]
    MissingTensor {
        /// Its name.
        name: String,
    },
    /// A weight is NaN or infinite.
    #[error("tensor {name} holds {value} at entry {index}; the file is damaged or the training diverged")]
    NotFinite {
        /// The tensor.
        name: String,
        /// NaN or ±∞.
        value: f32,
        /// Index into the flattened tensor.
        index: usize,
    },
    /// A row was asked for that the matrix does not have.
    #[error("row {row} was asked for, but {name} has {rows} rows")]
    RowOutOfRange {
        /// The tensor.
        name: String,
        /// The row asked for.
        row: u32,
        /// How many there are.
        rows: usize,
    },
}
