//! What the kinds of vocabulary have in common: their keys.

use tokenizers::AddedToken;

use super::super::error::one_line;
use super::super::sentencepiece::PieceKind;
use super::super::{Around, Error, Specials};
use crate::checkpoint::GgufError;
use crate::checkpoint::gguf::GgufFile;

/// Refuses files that change a text before it is cut, which their kind of tokenizer does not.
pub(super) fn check_normalisation(file: &GgufFile) -> Result<(), Error> {
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

pub(super) fn required<T>(found: Option<T>, key: &str) -> Result<T, Error> {
    found.ok_or_else(|| {
        Error::Gguf(GgufError::MissingKey {
            key: key.to_owned(),
        })
    })
}

/// The vocabulary's texts; their index is their id.
pub(super) fn tokens(file: &GgufFile) -> Result<Vec<&str>, Error> {
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
pub(super) fn kinds(file: &GgufFile, count: usize) -> Result<Vec<PieceKind>, Error> {
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

pub(super) fn check_length(key: &str, found: usize, tokens: usize) -> Result<(), Error> {
    if found == tokens {
        return Ok(());
    }
    Err(Error::Vocabulary {
        detail: format!("{key} has {found} entries for {tokens} tokens"),
    })
}

/// A token's id by a key, which may say that there is none; `default` where the key is missing.
pub(super) fn id(
    file: &GgufFile,
    key: &str,
    default: Option<u32>,
    tokens: usize,
) -> Result<Option<u32>, Error> {
    let present = file.value(key).is_some();
    let id = if present { file.token(key)? } else { default };
    match id {
        Some(id) if id as usize >= tokens => Err(Error::Vocabulary {
            detail: format!("{key} is {id}, and there are {tokens} tokens"),
        }),
        id => Ok(id),
    }
}

/// Which tokens have a meaning of their own, given what the kind of tokenizer has by default.
pub(super) fn specials(
    file: &GgufFile,
    default: Specials,
    tokens: usize,
) -> Result<Specials, Error> {
    let id = |key, default| id(file, key, default, tokens);
    Ok(Specials {
        bos: id("tokenizer.ggml.bos_token_id", default.bos)?,
        eos: id("tokenizer.ggml.eos_token_id", default.eos)?,
        mask: id("tokenizer.ggml.mask_token_id", default.mask)?,
        adds_bos: file
            .bool("tokenizer.ggml.add_bos_token")?
            .unwrap_or(default.adds_bos),
    })
}

/// Which token ends a part of a text, where the file says so.
pub(super) fn separator(
    file: &GgufFile,
    default: Option<u32>,
    tokens: usize,
) -> Result<Option<u32>, Error> {
    // The key is spelt so in the format's specification, and rightly in newer files.
    const KEYS: [&str; 2] = [
        "tokenizer.ggml.seperator_token_id",
        "tokenizer.ggml.separator_token_id",
    ];
    let key = KEYS.into_iter().find(|key| file.value(key).is_some());
    id(file, key.unwrap_or(KEYS[0]), default, tokens)
}

/// Which tokens stand around a text, given whether the kind of tokenizer puts an eos token or a separator after it.
pub(super) fn around(
    file: &GgufFile,
    specials: Specials,
    separator: Option<u32>,
    default: (bool, bool),
) -> Result<Around, Error> {
    let adds = |key: &str, default| Ok::<bool, Error>(file.bool(key)?.unwrap_or(default));
    let adds_eos = adds("tokenizer.ggml.add_eos_token", default.0)?;
    let adds_separator = adds("tokenizer.ggml.add_sep_token", default.1)?;
    let before = specials.bos.filter(|_| specials.adds_bos);
    let eos = specials.eos.filter(|_| adds_eos);
    let after = eos.or(separator.filter(|_| adds_separator));
    Ok(Around {
        before: before.into_iter().collect(),
        after: after.into_iter().collect(),
    })
}

/// Tokens that are found in a text as they are spelt, before it is cut.
pub(super) fn added(tokens: &[&str], kinds: &[PieceKind]) -> Vec<AddedToken> {
    let added = tokens.iter().zip(kinds).filter_map(|(token, kind)| {
        let special = matches!(kind, PieceKind::Control | PieceKind::Unknown);
        (special || *kind == PieceKind::UserDefined)
            .then(|| AddedToken::from(*token, special).normalized(false))
    });
    added.collect()
}

/// What the library says of a vocabulary.
pub(super) fn damaged(error: tokenizers::Error) -> Error {
    Error::Vocabulary {
        detail: one_line(error),
    }
}
