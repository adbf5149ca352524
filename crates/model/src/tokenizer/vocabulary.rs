//! The vocabulary in a tokenizer.json.

use serde_json::Value;

use super::Error;
use super::decoder::CONTINUES;
use crate::printable::printable;

/// The longest word that is taken apart, in characters. Real files have 100, and each costs a search through the rest
/// of the word.
const LONGEST_WORD: u64 = 1000;

/// The longest piece of a unigram vocabulary, and the most bytes of all of them. The library makes a tree of them with a map for each
/// byte, some 300 bytes large, and takes it down by recursion: a piece of a megabyte would end the process. SentencePiece's pieces have
/// 16 characters at most, and those of the largest vocabularies in use 3 MB together.
const LONGEST_PIECE: usize = 1024;
const MOST_PIECES: usize = 8 << 20;

/// What kind of model it is; files from before that was written are known by what they hold.
pub(super) fn kind(model: &Value) -> Option<&str> {
    model["type"].as_str().or_else(|| {
        if model["merges"].is_array() {
            Some("BPE")
        } else {
            let is_word_pieces = model["max_input_chars_per_word"].is_number();
            is_word_pieces.then_some("WordPiece")
        }
    })
}

/// Checks what the library takes on trust.
pub(super) fn check_model(model: &Value) -> Result<(), Error> {
    match kind(model) {
        Some("BPE") if model["merges"].is_array() => check_bpe(model),
        Some("Unigram") => {
            let pieces = model["vocab"].as_array().into_iter().flatten();
            check_unigram(pieces.filter_map(|piece| piece[0].as_str()))
        }
        Some("WordPiece") => check_word_pieces(model),
        found => Err(Error::Unsupported {
            part: "model",
            found: printable(found.unwrap_or("(unknown)")),
            supported: "BPE, Unigram, WordPiece".to_owned(),
        }),
    }
}

/// Refuses pieces of which the library cannot make a tree.
pub(super) fn check_unigram<'a>(pieces: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut bytes = 0;
    for piece in pieces {
        bytes += piece.len();
        if piece.len() > LONGEST_PIECE || bytes > MOST_PIECES {
            return Err(Error::Vocabulary {
                detail: format!(
                    "its unigram pieces have at most {LONGEST_PIECE} bytes each and {MOST_PIECES} together, which {} is beyond",
                    printable(&format!("{piece:?}"))
                ),
            });
        }
    }
    Ok(())
}

fn check_bpe(model: &Value) -> Result<(), Error> {
    let damaged = |detail: String| Error::Vocabulary { detail };
    for key in ["dropout", "continuing_subword_prefix", "end_of_word_suffix"] {
        let value = &model[key];
        let absent = value.is_null() || value == "" || value.as_f64() == Some(0.0);
        if !absent {
            return Err(Error::Unsupported {
                part: "model",
                found: printable(&format!("{key} = {value}")),
                supported: "its absence".to_owned(),
            });
        }
    }
    let vocabulary = model["vocab"]
        .as_object()
        .ok_or_else(|| damaged("model.vocab is no object".to_owned()))?;
    let mut merged = String::new();
    for merge in model["merges"].as_array().into_iter().flatten() {
        let pair = match merge {
            Value::String(line) => line.split_once(' '),
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(left), Value::String(right)] => {
                    Some((left.as_str(), right.as_str()))
                }
                _ => None,
            },
            _ => None,
        };
        let (left, right) = pair.ok_or_else(|| {
            damaged(format!(
                "the merge {} is no pair",
                printable(&merge.to_string())
            ))
        })?;
        merged.clear();
        merged.push_str(left);
        merged.push_str(right);
        for part in [left, right, &merged] {
            if !vocabulary.contains_key(part) {
                return Err(damaged(format!(
                    "the merge {} needs {}, which is no token",
                    printable(&merge.to_string()),
                    printable(&format!("{part:?}"))
                )));
            }
        }
    }
    Ok(())
}

/// Word pieces begin with `##` where they continue a word, and a word that has none becomes the unknown token.
fn check_word_pieces(model: &Value) -> Result<(), Error> {
    let prefix = &model["continuing_subword_prefix"];
    if prefix != CONTINUES {
        return Err(Error::Unsupported {
            part: "model",
            found: printable(&format!("continuing_subword_prefix = {prefix}")),
            supported: CONTINUES.to_owned(),
        });
    }
    let longest = &model["max_input_chars_per_word"];
    if longest
        .as_u64()
        .is_none_or(|longest| longest > LONGEST_WORD)
    {
        return Err(Error::Unsupported {
            part: "model",
            found: printable(&format!("max_input_chars_per_word = {longest}")),
            supported: format!("at most {LONGEST_WORD}"),
        });
    }
    let unknown = model["unk_token"].as_str().unwrap_or_default();
    if model["vocab"].get(unknown).is_some() {
        return Ok(());
    }
    Err(Error::Vocabulary {
        detail: format!(
            "its unknown token (unk_token) {} is none of its tokens",
            printable(&format!("{unknown:?}"))
        ),
    })
}
