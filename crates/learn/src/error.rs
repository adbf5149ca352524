//! What can go wrong in training.

use std::path::PathBuf;

use lookback_model::{printable, printable_message};

/// Why a model cannot be trained, saved or measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The attention kernel rejected its operands.
    #[error(transparent)]
    Attention(#[from] lookback_attention::Error),
    /// The tensor library rejected an operation.
    #[error("the tensor library failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The model's file cannot be used.
    #[error(transparent)]
    Model(#[from] lookback_model::Error),
    /// The tokenizer rejected a text.
    #[error(transparent)]
    Tokenizer(#[from] lookback_model::tokenizer::Error),
    /// A setting has no meaning.
    #[error("{setting} is {}, but must be {expected}", printable(.value))]
    Setting {
        /// Its name.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// Two sizes that belong together differ.
    #[error("{what} is {found}, but must be {expected}")]
    Size {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// The loss or a gradient is NaN or infinite.
    #[error(
        "{what} is {value} at step {step}: training has diverged; {kept}. Try a smaller learning rate"
    )]
    NotFinite {
        /// The loss, or the norm of the gradients.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The step, counted from 1.
        step: usize,
        /// What can still be used.
        kept: String,
    },
    /// A step would need more memory than there is.
    #[error(
        "a step on {batch} texts of {tokens} tokens needs about {needed} MB, and {available} MB are free; take a smaller batch or shorter texts"
    )]
    Memory {
        /// Texts a step.
        batch: usize,
        /// Tokens a text.
        tokens: usize,
        /// Megabytes (10⁶ bytes) that a step needs.
        needed: u64,
        /// Megabytes that are free.
        available: u64,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A checkpoint is damaged, or of another model.
    #[error("{path} cannot be resumed from: {}", printable_message(.detail), path = path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Training was asked to stop.
    #[error("stopped after step {step}")]
    Stopped {
        /// The last step that was done.
        step: usize,
    },
}

impl Error {
    /// Wraps what happened to `path`.
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
