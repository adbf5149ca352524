//! What can be wrong with a tokenizer or its input.

use crate::checkpoint::GgufError;
use crate::printable::{printable, printable_message};

/// A library's message in one line: some draw pictures of a pattern.
pub(crate) fn one_line(error: impl std::fmt::Display) -> String {
    let text = error.to_string();
    printable_message(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Why a tokenizer cannot be built, a text not be encoded, or a chat not be rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A bos token was asked for and the tokenizer has none.
    #[error(
        "this tokenizer has no beginning-of-sequence token; use --prefix none, or --prefix TEXT"
    )]
    NoBos,
    /// A kind of tokenizer that is not implemented.
    #[error("the tokenizer's {part} {found} is not supported; supported are {supported}", found = printable(found))]
    Unsupported {
        /// Which part of the tokenizer.
        part: &'static str,
        /// What it is.
        found: String,
        /// What is implemented.
        supported: String,
    },
    /// A GGUF file that does not say how words are cut, or names a way that is not implemented.
    #[error(
        "{}; name one with --pre-tokenizer NAME: {}",
        match found {
            Some(found) => format!(
                "the tokenizer's pre-tokenizer (tokenizer.ggml.pre) {} is not supported",
                printable(found)
            ),
            None => "the file does not say how words are cut before merging (it has no tokenizer.ggml.pre)"
                .to_owned(),
        },
        known.join(", ")
    )]
    PreTokenizer {
        /// What the file names.
        found: Option<String>,
        /// Names of those that are implemented.
        known: Vec<&'static str>,
    },
    /// A vocabulary that is damaged or contradicts itself.
    #[error("the tokenizer's vocabulary is damaged: {detail}", detail = printable_message(detail))]
    Vocabulary {
        /// What is wrong.
        detail: String,
    },
    /// A file that is not JSON, or not the JSON it should be.
    #[error("{detail}", detail = printable_message(detail))]
    Json {
        /// What is wrong.
        detail: String,
    },
    /// Tokenizer metadata of a GGUF file that is missing or of the wrong type.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The tokenizer failed on a text.
    #[error("the tokenizer cannot encode this text: {detail}", detail = printable_message(detail))]
    Encode {
        /// What it says.
        detail: String,
    },
    /// A pattern of the tokenizer, or its merging, took too long on a text.
    #[error(
        "the tokenizer takes more than {seconds} seconds for this text, far longer than tokenizers do; \
         its pattern may be made to stall: shorten the text, or use another model"
    )]
    Slow {
        /// How long it was given.
        seconds: u64,
    },
    /// Nobody waits for the text any more.
    #[error("encoding the text was cancelled")]
    Cancelled,
    /// A chat template that is damaged, or that refuses the messages.
    #[error("the chat template cannot be rendered: {detail}", detail = printable_message(detail))]
    Template {
        /// What is wrong.
        detail: String,
    },
}
