//! The tokenizer in a GGUF file: keys `tokenizer.ggml.*`.

mod byte_level;
mod keys;
mod pieces;
mod unigram;
mod word_pieces;

use super::{Error, Tokenizer};
use crate::checkpoint::gguf::GgufFile;

impl Tokenizer {
    /// The tokenizer of a GGUF file, which cuts words as `pre_tokenizer` says where that is given.
    pub(crate) fn from_gguf(file: &GgufFile, pre_tokenizer: Option<&str>) -> Result<Self, Error> {
        let model = file.text("tokenizer.ggml.model")?;
        if let (Some(name), Some(model)) = (pre_tokenizer, model.filter(|&model| model != "gpt2")) {
            return Err(Error::Unsupported {
                part: "pre-tokenizer (--pre-tokenizer)",
                found: format!("{name}, for a vocabulary of the kind {model},"),
                supported: "those of the kind gpt2, which alone cut words by name".to_owned(),
            });
        }
        match model {
            Some("gpt2") => byte_level::tokenizer(file, pre_tokenizer),
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
