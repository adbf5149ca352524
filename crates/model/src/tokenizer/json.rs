//! tokenizer.json, with what tokenizer_config.json says about it.

use serde_json::Value;
use tokenizers::Tokenizer as LibraryTokenizer;

use super::around::{self, Texts};
use super::decoder::{CONTINUES, Decoder};
use super::error::one_line;
use super::library::Library;
use super::vocabulary::check_model;
use super::{Around, Error, Model, Specials, Tokenizer, steps};
use crate::printable::printable;

/// What other files say about a tokenizer.json.
#[derive(Debug, Default)]
pub(crate) struct JsonOptions {
    /// The tokens around a text, by their texts.
    pub(crate) bos: Option<String>,
    pub(crate) eos: Option<String>,
    /// The token of a word that is to be guessed.
    pub(crate) mask: Option<String>,
    /// The same by their ids, where they have no texts.
    pub(crate) bos_id: Option<u32>,
    pub(crate) eos_id: Option<u32>,
    /// Whether a bos token is put before every text; None leaves it to tokenizer.json.
    pub(crate) adds_bos: Option<bool>,
    /// The same of an eos token after every text.
    pub(crate) adds_eos: Option<bool>,
}

impl Tokenizer {
    /// The tokenizer of a `tokenizer.json`.
    pub(crate) fn from_json(json: &str, options: &JsonOptions) -> Result<Self, Error> {
        let damaged = |detail: String| Error::Json { detail };
        let mut value: Value =
            serde_json::from_str(json).map_err(|error| damaged(one_line(error)))?;
        if !value.is_object() {
            return Err(damaged("it is no object".to_owned()));
        }
        check_model(&value["model"])?;
        let decoder = decoder(&value["decoder"])?;
        steps::check(&value, decoder)?;
        // Cutting short and filling up are for training, and what stands around a text is up
        // to the caller. The library takes a template's tokens on trust.
        let [_, _, processor] =
            ["truncation", "padding", "post_processor"].map(|part| value[part].take());
        let texts = around::of_post_processor(&processor);
        let library: LibraryTokenizer =
            serde_json::from_value(value).map_err(|error| damaged(one_line(error)))?;
        let (specials, around) = specials(&library, &texts, options);
        Ok(Tokenizer::new(
            Model::Library(Library::new(library, decoder)?),
            decoder,
            specials,
            around,
        ))
    }
}

/// Which tokens mean what, and which stand around a text: the files beside tokenizer.json count before its own.
fn specials(
    library: &LibraryTokenizer,
    texts: &Texts<'_>,
    options: &JsonOptions,
) -> (Specials, Around) {
    let by_text = |text: &str| library.token_to_id(text);
    let token = |text: &Option<String>, id: Option<u32>| match text {
        Some(text) => by_text(text),
        None => id.filter(|&id| library.id_to_token(id).is_some()),
    };
    let ids = |texts: &[&str]| texts.iter().copied().filter_map(by_text).collect();
    let mut around = Around {
        before: ids(&texts.before),
        after: ids(&texts.after),
    };
    let put_before = around.before.first().copied();
    let bos = token(&options.bos, options.bos_id);
    let eos = token(&options.eos, options.eos_id);
    let adds_bos = options
        .adds_bos
        .unwrap_or_else(|| put_before.is_some() && (bos.is_none() || put_before == bos));
    if options.adds_bos == Some(false) {
        around.before.clear();
    }
    if let Some(eos) =
        eos.filter(|eos| options.adds_eos == Some(true) && !around.after.contains(eos))
    {
        around.after.push(eos);
    }
    let specials = Specials {
        bos: bos.or(put_before.filter(|_| options.bos.is_none())),
        eos,
        mask: token(&options.mask, None),
        adds_bos,
    };
    (specials, around)
}

/// How tokens become text again; decoders of other families are refused.
fn decoder(value: &Value) -> Result<Decoder, Error> {
    let unsupported = || {
        Error::Unsupported {
        part: "decoder",
        found: printable(&value.to_string()),
        supported: "ByteLevel, Metaspace, WordPiece with ##, and Replace, ByteFallback, Fuse and Strip in sequence"
            .to_owned(),
    }
    };
    match value["type"].as_str() {
        Some("ByteLevel") => Ok(Decoder::ByteLevel),
        Some("WordPiece") if value["prefix"] == CONTINUES => Ok(Decoder::WordPieces {
            cleanup: value["cleanup"] != false,
        }),
        Some("Metaspace") => {
            let added = value["prepend_scheme"] != "never" && value["add_prefix_space"] != false;
            if value["replacement"] == "▁" {
                Ok(Decoder::Spaces {
                    byte_tokens: false,
                    strip: usize::from(added),
                })
            } else {
                Err(unsupported())
            }
        }
        Some("Sequence") => {
            let steps = value["decoders"].as_array().ok_or_else(unsupported)?;
            sequence(steps).ok_or_else(unsupported)
        }
        _ => Err(unsupported()),
    }
}

fn sequence(steps: &[Value]) -> Option<Decoder> {
    if let [single] = steps {
        return decoder(single).ok();
    }
    let (mut spaces, mut byte_tokens, mut strip) = (false, false, 0);
    for step in steps {
        match step["type"].as_str()? {
            "Replace" if step["pattern"]["String"] == "▁" && step["content"] == " " => {
                spaces = true;
            }
            "ByteFallback" => byte_tokens = true,
            "Fuse" => {}
            "Strip" if step["content"] == " " && step["stop"] == 0 => {
                strip = usize::try_from(step["start"].as_u64()?).ok()?;
            }
            _ => return None,
        }
    }
    spaces.then_some(Decoder::Spaces { byte_tokens, strip })
}
