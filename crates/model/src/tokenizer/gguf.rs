//! The tokenizer in a GGUF file: keys `tokenizer.ggml.*`.

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::{AddedToken, Tokenizer as LibraryTokenizer};

use super::decoder::Decoder;
use super::error::one_line;
use super::library::Library;
use super::pre_tokenizer::PreTokenizer;
use super::sentencepiece::{PieceKind, SentencePiece, VocabularyEntry};
use super::{Error, Model, Specials, Tokenizer};
use crate::checkpoint::GgufError;
use crate::checkpoint::gguf::GgufFile;
use crate::printable::printable;

impl Tokenizer {
    /// The tokenizer of a GGUF file.
    pub(crate) fn from_gguf(file: &GgufFile) -> Result<Self, Error> {
        check_normalisation(file)?;
        match file.text("tokenizer.ggml.model")? {
            Some("gpt2") => byte_level(file),
            Some("llama") => sentencepiece(file),
            found => Err(Error::Unsupported {
                part: "model (tokenizer.ggml.model)",
                found: found.unwrap_or("(the key is missing)").to_owned(),
                supported: "gpt2 (byte-level BPE), llama (SentencePiece)".to_owned(),
            }),
        }
    }
}

/// Refuses files that change a text before it is cut, which is not implemented.
fn check_normalisation(file: &GgufFile) -> Result<(), Error> {
    for key in [
        "tokenizer.ggml.precompiled_charsmap",
        "tokenizer.ggml.remove_extra_whitespaces",
    ] {
        let found = file.value(key);
        if found.is_some_and(|value| !value.is_false_or_empty()) {
            return Err(Error::Unsupported {
                part: "normalisation",
                found: key.to_owned(),
                supported: "texts as they are".to_owned(),
            });
        }
    }
    Ok(())
}

fn required<T>(found: Option<T>, key: &str) -> Result<T, Error> {
    found.ok_or_else(|| {
        Error::Gguf(GgufError::MissingKey {
            key: key.to_owned(),
        })
    })
}

/// The vocabulary's texts; their index is their id.
fn tokens(file: &GgufFile) -> Result<Vec<&str>, Error> {
    const KEY: &str = "tokenizer.ggml.tokens";
    let tokens = required(file.texts(KEY)?, KEY)?;
    if tokens.is_empty() {
        return Err(Error::Vocabulary {
            detail: format!("{KEY} is empty"),
        });
    }
    Ok(tokens)
}

/// What each token is for; all are normal where the file does not say.
fn kinds(file: &GgufFile, count: usize) -> Result<Vec<PieceKind>, Error> {
    const KEY: &str = "tokenizer.ggml.token_type";
    let Some(numbers) = file.integers(KEY)? else {
        return Ok(vec![PieceKind::Normal; count]);
    };
    check_length(KEY, numbers.len(), count)?;
    numbers
        .into_iter()
        .map(|number| {
            PieceKind::from_number(number).ok_or_else(|| Error::Vocabulary {
                detail: format!("{KEY} has a type {number}; 1 to 6 are defined"),
            })
        })
        .collect()
}

fn check_length(key: &str, found: usize, tokens: usize) -> Result<(), Error> {
    if found == tokens {
        return Ok(());
    }
    Err(Error::Vocabulary {
        detail: format!("{key} has {found} entries for {tokens} tokens"),
    })
}

/// Which tokens stand around a text, given what the kind of tokenizer does by default.
fn specials(file: &GgufFile, default: Specials, tokens: usize) -> Result<Specials, Error> {
    let id = |key: &str, default: Option<u32>| -> Result<Option<u32>, Error> {
        let present = file.value(key).is_some();
        let id = if present { file.token(key)? } else { default };
        match id {
            Some(id) if id as usize >= tokens => Err(Error::Vocabulary {
                detail: format!("{key} is {id}, and there are {tokens} tokens"),
            }),
            id => Ok(id),
        }
    };
    Ok(Specials {
        bos: id("tokenizer.ggml.bos_token_id", default.bos)?,
        eos: id("tokenizer.ggml.eos_token_id", default.eos)?,
        adds_bos: file
            .bool("tokenizer.ggml.add_bos_token")?
            .unwrap_or(default.adds_bos),
    })
}

fn byte_level(file: &GgufFile) -> Result<Tokenizer, Error> {
    let pre = PreTokenizer::from_name(
        file.text("tokenizer.ggml.pre")?
            .unwrap_or("(the key is missing)"),
    )?;
    let tokens = tokens(file)?;
    let kinds = kinds(file, tokens.len())?;
    let default = Specials {
        adds_bos: pre.adds_bos(),
        ..Specials::default()
    };
    let specials = specials(file, default, tokens.len())?;
    let mut vocabulary = Vocab::with_capacity(tokens.len());
    for (id, token) in (0..).zip(&tokens) {
        vocabulary.insert((*token).to_owned(), id);
    }
    let merges = merges(file, &vocabulary)?;
    let failed = |error: tokenizers::Error| Error::Vocabulary {
        detail: one_line(error),
    };
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .ignore_merges(pre.ignores_merges())
        .build()
        .map_err(failed)?;
    let mut library = LibraryTokenizer::new(model);
    library
        .with_normalizer(pre.normalizer())
        .map_err(failed)?
        .with_pre_tokenizer(Some(pre.build()?));
    let added = tokens.iter().zip(&kinds).filter_map(|(token, kind)| {
        let special = matches!(kind, PieceKind::Control | PieceKind::Unknown);
        (special || *kind == PieceKind::UserDefined)
            .then(|| AddedToken::from(*token, special).normalized(false))
    });
    library.add_tokens(added).map_err(failed)?;
    Ok(Tokenizer::new(
        Model::Library(Library::new(library, Decoder::ByteLevel)?),
        Decoder::ByteLevel,
        specials,
    ))
}

/// Pairs of tokens that merge, the first first. The library trusts that their parts, and what
/// they make, are tokens.
fn merges(file: &GgufFile, vocabulary: &Vocab) -> Result<Vec<(String, String)>, Error> {
    const KEY: &str = "tokenizer.ggml.merges";
    let mut merged = String::new();
    required(file.texts(KEY)?, KEY)?
        .into_iter()
        .map(|line| {
            let (left, right) = line.split_once(' ').ok_or_else(|| Error::Vocabulary {
                detail: format!("the merge {} is no pair", printable(&format!("{line:?}"))),
            })?;
            merged.clear();
            merged.push_str(left);
            merged.push_str(right);
            for part in [left, right, &merged] {
                if !vocabulary.contains_key(part) {
                    return Err(Error::Vocabulary {
                        detail: format!(
                            "the merge {} needs {}, which is no token",
                            printable(&format!("{line:?}")),
                            printable(&format!("{part:?}"))
                        ),
                    });
                }
            }
            Ok((left.to_owned(), right.to_owned()))
        })
        .collect()
}

fn sentencepiece(file: &GgufFile) -> Result<Tokenizer, Error> {
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
        adds_bos: true,
    };
    let specials = specials(file, default, count)?;
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
    ))
}
