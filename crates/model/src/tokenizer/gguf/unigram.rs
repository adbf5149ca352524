//! SentencePiece's unigram model (`t5`): the likeliest pieces, by the sum of their scores.

use tokenizers::Tokenizer as LibraryTokenizer;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::Precompiled;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;

use super::super::decoder::Decoder;
use super::super::library::Library;
use super::super::vocabulary::check_unigram;
use super::super::{Error, Model, Specials, Tokenizer, charsmap};
use super::keys::{added, around, check_length, damaged, id, kinds, required, specials, tokens};
use crate::checkpoint::gguf::GgufFile;

pub(super) fn tokenizer(file: &GgufFile) -> Result<Tokenizer, Error> {
    const SCORES: &str = "tokenizer.ggml.scores";
    let tokens = tokens(file)?;
    let kinds = kinds(file, tokens.len())?;
    let scores = required(file.floats(SCORES)?, SCORES)?;
    check_length(SCORES, scores.len(), tokens.len())?;
    if let Some(id) = scores.iter().position(|score| !score.is_finite()) {
        return Err(Error::Vocabulary {
            detail: format!("the score of token {id} is {}", scores[id]),
        });
    }
    let count = tokens.len();
    let known = |id: u32| Some(id).filter(|&id| (id as usize) < count);
    let default = Specials {
        eos: known(1),
        ..Specials::default()
    };
    let specials = specials(file, default, count)?;
    let around = around(file, specials, None, (true, false))?;
    let unknown = id(file, "tokenizer.ggml.unknown_token_id", known(2), count)?;
    check_unigram(tokens.iter().copied())?;
    let vocabulary = tokens.iter().zip(&scores);
    let vocabulary = vocabulary.map(|(token, score)| ((*token).to_owned(), f64::from(*score)));
    let model = Unigram::from(vocabulary.collect(), unknown.map(|id| id as usize), false)
        .map_err(damaged)?;
    let mut library = LibraryTokenizer::new(model);
    let adds_space = file
        .bool("tokenizer.ggml.add_space_prefix")?
        .unwrap_or(true);
    library
        .with_normalizer(normalizer(file)?)
        .map_err(damaged)?
        .with_pre_tokenizer(Some(words(file, adds_space)?));
    library
        .add_tokens(added(&tokens, &kinds))
        .map_err(damaged)?;
    let decoder = Decoder::Spaces {
        byte_tokens: false,
        strip: usize::from(adds_space),
    };
    Ok(Tokenizer::new(
        Model::Library(Library::new(library, decoder)?),
        decoder,
        specials,
        around,
    ))
}

/// What is done to a text first: characters are replaced by the file's own table.
fn normalizer(file: &GgufFile) -> Result<Option<Precompiled>, Error> {
    const TABLE: &str = "tokenizer.ggml.precompiled_charsmap";
    let Some(table) = file.octets(TABLE)?.filter(|table| !table.is_empty()) else {
        return Ok(None);
    };
    let unsound = || Error::Vocabulary {
        detail: format!("{TABLE} leads outside of itself, or makes a text too long"),
    };
    if !charsmap::is_sound(table) {
        return Err(unsound());
    }
    Precompiled::from(table).map(Some).map_err(|_| unsound())
}

/// How a text is cut: before each space, which becomes `▁`. Several count as one where the file says so, as T5's
/// tokenizer.json has it.
fn words(file: &GgufFile, adds_space: bool) -> Result<PreTokenizerWrapper, Error> {
    const REMOVES: &str = "tokenizer.ggml.remove_extra_whitespaces";
    let removes = file.bool(REMOVES)?.unwrap_or(false);
    match (removes, adds_space) {
        (true, true) => {
            let metaspace = Metaspace::new('▁', PrependScheme::Always, true);
            Ok(Sequence::new(vec![WhitespaceSplit.into(), metaspace.into()]).into())
        }
        (true, false) => Err(Error::Unsupported {
            part: "normalisation",
            found: format!("{REMOVES} without a space before the text"),
            supported: "add_space_prefix with it".to_owned(),
        }),
        (false, true) => Ok(Metaspace::new('▁', PrependScheme::Always, true).into()),
        (false, false) => Ok(Metaspace::new('▁', PrependScheme::Never, true).into()),
    }
}
