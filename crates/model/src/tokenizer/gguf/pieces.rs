//! Llama's SentencePiece: pieces with scores (`llama`).

use super::super::decoder::Decoder;
use super::super::sentencepiece::{SentencePiece, VocabularyEntry};
use super::super::{Error, Model, Specials, Tokenizer};
use super::keys::{around, check_length, check_normalisation, kinds, required, specials, tokens};
use crate::checkpoint::gguf::GgufFile;

pub(super) fn tokenizer(file: &GgufFile) -> Result<Tokenizer, Error> {
    check_normalisation(file)?;
    const SCORES: &str = "tokenizer.ggml.scores";
    let tokens = tokens(file)?;
    let kinds = kinds(file, tokens.len())?;
    let scores = required(file.floats(SCORES)?, SCORES)?;
    check_length(SCORES, scores.len(), tokens.len())?;
    if let Some(id) = scores.iter().position(|score| score.is_nan()) {
        return Err(Error::Vocabulary {
            detail: format!("the score of token {id} is NaN"),
        });
    }
    let count = tokens.len();
    // Where the file names none, Llama's own.
    let known = |id: u32| Some(id).filter(|&id| (id as usize) < count);
    let default = Specials {
        bos: known(1),
        eos: known(2),
        mask: None,
        adds_bos: true,
    };
    let specials = specials(file, default, count)?;
    let around = around(file, specials, None, (false, false))?;
    let entries = tokens
        .into_iter()
        .zip(scores)
        .zip(kinds)
        .map(|((text, score), kind)| VocabularyEntry {
            text: text.to_owned(),
            score,
            kind,
        })
        .collect();
    let adds_space = file
        .bool("tokenizer.ggml.add_space_prefix")?
        .unwrap_or(true);
    let model = SentencePiece::new(entries, adds_space)?;
    let decoder = Decoder::Spaces {
        byte_tokens: true,
        strip: usize::from(adds_space),
    };
    Ok(Tokenizer::new(
        Model::SentencePiece(Box::new(model)),
        decoder,
        specials,
        around,
    ))
}
