//! What whoever opens a checkpoint says about it.

use std::path::PathBuf;

/// What a checkpoint's files leave open, or cannot be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// How texts are cut into words, by a name that `tokenizer.ggml.pre` may have: for GGUF files that do not say, or say what
    /// is not known or wrong.
    pub pre_tokenizer: Option<String>,
    /// Keys of the configuration that are unknown, and known by whoever opens it to change nothing. As messages name them.
    pub accept_keys: Vec<String>,
    /// The folder of the model that an adapter belongs to; else the one that the adapter names, where that is a folder.
    pub base: Option<PathBuf>,
}
