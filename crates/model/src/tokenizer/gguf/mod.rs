//! The tokenizer in a GGUF file: keys `tokenizer.ggml.*`.

mod byte_level;
mod keys;
mod pieces;
mod unigram;
mod word_pieces;

use super::{Error, Tokenizer};
use crate::checkpoint::gguf::GgufFile;

impl Tokenizer {
    /// The tokenizer of a GGUF file.
    pub(crate) fn from_gguf(file: &GgufFile) -> Result<Self, Error> {
        match file.text("tokenizer.ggml.model")? {
            Some("gpt2") => byte_level::tokenizer(file),
            Some("llama") => pieces::tokenizer(file),
            Some("bert") => word_pieces::tokenizer(file),
            Some("t5") => unigram::tokenizer(file),
            found => Err(Error::Unsupported {
                part: "model (tokenizer.ggml.model)",
                found: found.unwrap_or("(the key is missing)").to_owned(),
                supported: "gpt2 (byte-level BPE), llama (SentencePiece BPE), bert (word pieces), t5 (unigram)"
                    .to_owned(),
            }),
        }
    }
}
