//! A model that is there.

use std::path::PathBuf;

use lookback_trace::FileStamp;

/// A model on this machine's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// What to call it: `smollm2-135m`, `hf:OWNER/NAME`, or the last part of a path.
    pub name: String,
    /// The GGUF file or the folder; of a built-in model its [address](super::EmbeddedModel::address).
    pub path: PathBuf,
    /// SHA-256 of the file, where it is known without reading it: it was taken of a file of this [`stamp`](Self::stamp).
    pub sha256: Option<String>,
    /// What the system says of the file that has this SHA-256; none of a model that is built in. Who opens the path and finds
    /// another file there has not read what the SHA-256 is of.
    pub stamp: Option<FileStamp>,
}
