//! What a tokenizer.json does to a text before its model sees it.
//!
//! The library offers many steps. Some trust their settings, and panic or grow a text without bound where those are
//! hostile; some leave out a part of the text without a word. So only those are taken that files of supported
//! models use, with the settings that they have there; anything else is refused by name.

use serde_json::Value;

use super::decoder::Decoder;
use super::{Error, charsmap, vocabulary};
use crate::printable::printable;

/// The most steps in sequence. Real files have three at most, and each costs a pass over the text.
const MAX_STEPS: usize = 8;

/// The longest pattern, in bytes. Those of real files have a few hundred.
const MAX_PATTERN: usize = 4096;

/// The most groups `(?…)` of a pattern, look-arounds among them. The library compiles each into up to 10 MB before anything
/// can be said against it; patterns of real files have five at most.
const MAX_GROUPS: usize = 16;

/// Which steps a tokenizer may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Byte-level BPE.
    Bytes,
    /// SentencePiece's BPE: `▁` for spaces.
    Spaces,
    /// SentencePiece's unigram, which comes with its own table of what characters become.
    Unigram,
    /// BERT's word pieces.
    Words,
}

/// Refuses what a tokenizer.json does to a text where it is not known to be harmless.
pub(super) fn check(value: &Value, decoder: Decoder) -> Result<(), Error> {
    let model = &value["model"];
    let kind = match (decoder, vocabulary::kind(model)) {
        (Decoder::WordPieces { .. }, Some("WordPiece")) => Kind::Words,
        (Decoder::WordPieces { .. }, _) | (_, Some("WordPiece")) => {
            return Err(Error::Unsupported {
                part: "decoder",
                found: shown(&value["decoder"]),
                supported: "WordPiece with the model WordPiece, and no other".to_owned(),
            });
        }
        (Decoder::Spaces { .. }, Some("Unigram")) => Kind::Unigram,
        (Decoder::Spaces { .. }, _) => Kind::Spaces,
        (Decoder::ByteLevel, _) => Kind::Bytes,
    };
    check_normalizer(&value["normalizer"], kind)?;
    check_pre_tokenizer(&value["pre_tokenizer"], kind)?;
    check_unknown(model, kind)
}

/// Refuses normalizers that are not allowed.
fn check_normalizer(value: &Value, kind: Kind) -> Result<(), Error> {
    let mut tables = 0;
    for step in steps(value, "normalizers").unwrap_or_default() {
        let folds = matches!(
            step["type"].as_str(),
            Some("NFD" | "NFKC" | "NFKD" | "StripAccents" | "Lowercase")
        );
        let known = match (step["type"].as_str(), kind) {
            (Some("NFC"), _) => true,
            (Some("BertNormalizer"), Kind::Words) => true,
            (_, Kind::Words | Kind::Unigram) if folds => true,
            (Some("Precompiled"), Kind::Unigram) => {
                // Each may make a text many times as long, and several multiply.
                tables += 1;
                let map = step["precompiled_charsmap"].as_str();
                tables == 1 && map.is_some_and(charsmap::is_sound_base64)
            }
            (Some("Replace"), Kind::Unigram) if step["pattern"]["Regex"] == " {2,}" => {
                step["content"] == " " || step["content"] == "▁"
            }
            (Some("Prepend"), Kind::Spaces | Kind::Unigram) => step["prepend"] == "▁",
            (Some("Replace"), Kind::Spaces | Kind::Unigram) => {
                step["pattern"]["String"] == " " && step["content"] == "▁"
            }
            _ => false,
        };
        if !known {
            let supported = match kind {
                Kind::Bytes => "NFC",
                Kind::Spaces => "NFC, Prepend of ▁, Replace of a space by ▁",
                Kind::Unigram => {
                    "NFC, NFD, NFKC, NFKD, StripAccents, Lowercase, one Precompiled with a sound table, Prepend of ▁, \
                     Replace of spaces by ▁ or of several by one"
                }
                Kind::Words => "BertNormalizer, NFC, NFD, NFKC, NFKD, StripAccents, Lowercase",
            };
            return Err(unsupported("normalizer", step, supported));
        }
    }
    check_count("normalizer", value, "normalizers")
}

/// Refuses pre-tokenizers that are not allowed, and the lack of one where the decoder needs it.
fn check_pre_tokenizer(value: &Value, kind: Kind) -> Result<(), Error> {
    let steps = steps(value, "pretokenizers").unwrap_or_default();
    for (index, step) in steps.iter().enumerate() {
        let last = index + 1 == steps.len();
        let known = match step["type"].as_str() {
            // What follows it would cut within characters.
            Some("ByteLevel") => kind == Kind::Bytes && last,
            Some("Digits") => true,
            Some("Split") => is_harmless_split(step),
            Some("Metaspace") => {
                matches!(kind, Kind::Spaces | Kind::Unigram) && step["replacement"] == "▁"
            }
            Some("WhitespaceSplit") => matches!(kind, Kind::Unigram | Kind::Words),
            Some("BertPreTokenizer") => kind == Kind::Words,
            _ => false,
        };
        if !known {
            return Err(unsupported("pre-tokenizer", step, supported(kind)));
        }
    }
    check_count("pre-tokenizer", value, "pretokenizers")?;
    let writes_bytes = steps.last().is_some_and(|step| step["type"] == "ByteLevel");
    if kind == Kind::Bytes && !writes_bytes {
        return Err(Error::Unsupported {
            part: "pre-tokenizer",
            found: format!("{} with the decoder ByteLevel", shown(value)),
            supported: "one that ends in ByteLevel there: without it, what is no token is lost"
                .to_owned(),
        });
    }
    Ok(())
}

fn supported(kind: Kind) -> &'static str {
    match kind {
        Kind::Bytes => "Digits, Split that keeps what it splits at, and ByteLevel at the end",
        Kind::Spaces => "Digits, Split that keeps what it splits at, and Metaspace with ▁",
        Kind::Unigram => {
            "Digits, Split that keeps what it splits at, WhitespaceSplit, and Metaspace with ▁"
        }
        Kind::Words => {
            "BertPreTokenizer, WhitespaceSplit, Digits, and Split that keeps what it splits at"
        }
    }
}

/// Whether a split keeps all of the text.
fn is_harmless_split(step: &Value) -> bool {
    let pattern = ["Regex", "String"]
        .into_iter()
        .find_map(|kind| step["pattern"][kind].as_str());
    let keeps = matches!(
        step["behavior"].as_str(),
        Some("Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous")
    );
    let is_bounded = |pattern: &str| {
        (1..=MAX_PATTERN).contains(&pattern.len()) && pattern.matches("(?").count() <= MAX_GROUPS
    };
    keeps && pattern.is_some_and(is_bounded)
}

/// Refuses a vocabulary that has no tokens for some texts: those would be left out without a word.
fn check_unknown(model: &Value, kind: Kind) -> Result<(), Error> {
    // Bytes that a byte-level vocabulary lacks are known to the `Library`, which refuses texts that hold them. Word
    // pieces have an unknown token.
    if matches!(kind, Kind::Bytes | Kind::Words) {
        return Ok(());
    }
    // Unigram cannot leave anything out: its library fails where there is no unknown token.
    let unknown = match model["unk_token"].as_str() {
        Some(token) => model["vocab"].get(token).is_some(),
        None => kind == Kind::Unigram,
    };
    let bytes =
        || (0..=u8::MAX).all(|byte| model["vocab"].get(format!("<0x{byte:02X}>")).is_some());
    if unknown || (model["byte_fallback"] == true && bytes()) {
        return Ok(());
    }
    Err(Error::Vocabulary {
        detail: "it has neither an unknown token (unk_token) nor tokens for all bytes (byte_fallback), so that \
                 characters without a token would be lost"
            .to_owned(),
    })
}

/// A single step, or those of a sequence. None where there are none.
fn steps<'a>(value: &'a Value, key: &str) -> Option<&'a [Value]> {
    match value["type"].as_str() {
        Some("Sequence") => value[key].as_array().map(Vec::as_slice),
        _ if value.is_null() => None,
        _ => Some(std::slice::from_ref(value)),
    }
}

fn check_count(part: &'static str, value: &Value, key: &str) -> Result<(), Error> {
    let found = steps(value, key).map_or(0, <[Value]>::len);
    if found <= MAX_STEPS {
        return Ok(());
    }
    Err(Error::Unsupported {
        part,
        found: format!("sequence of {found} steps"),
        supported: format!("at most {MAX_STEPS}"),
    })
}

fn unsupported(part: &'static str, step: &Value, supported: &str) -> Error {
    Error::Unsupported {
        part,
        found: shown(step),
        supported: supported.to_owned(),
    }
}

/// A step's name, where it has one, and the beginning of how it is written.
fn shown(value: &Value) -> String {
    let name = value["type"].as_str().unwrap_or_default();
    printable(format!("{name} {value}").trim_start())
}
