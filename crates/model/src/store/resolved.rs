//! A model that is there.

use std::path::PathBuf;

/// A model on this machine's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// What to call it: `smollm2-135m`, `hf:OWNER/NAME`, or the last part of a path.
    pub name: String,
    /// The GGUF file or the folder; of a built-in model its [address](super::EmbeddedModel::address).
    pub path: PathBuf,
    /// SHA-256 of the file, where it is known without reading it: it was checked when the file was fetched.
    pub sha256: Option<String>,
}
