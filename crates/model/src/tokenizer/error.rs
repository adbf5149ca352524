//! What can be wrong with a tokenizer or its input.

/// Why a tokenizer cannot be built, or a text not be encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A bos token was asked for and the tokenizer has none.
    #[error("this tokenizer has no beginning-of-sequence token; use --prefix none, or --prefix TEXT")]
    NoBos,
}
