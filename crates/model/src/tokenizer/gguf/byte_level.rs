//! Byte-level BPE (`gpt2`).

use tokenizers::Tokenizer as LibraryTokenizer;
use tokenizers::models::bpe::{BPE, Vocab};

use super::super::decoder::Decoder;
use super::super::library::Library;
use super::super::pre_tokenizer::PreTokenizer;
use super::super::{Error, Model, Specials, Tokenizer};
use super::keys::{
    added, around, check_normalisation, damaged, kinds, required, separator, specials, tokens,
};
use crate::checkpoint::gguf::GgufFile;
use crate::printable::printable;

/// `pre_tokenizer` is the name of the way to cut words where another than the file's is asked for.
pub(super) fn tokenizer(file: &GgufFile, pre_tokenizer: Option<&str>) -> Result<Tokenizer, Error> {
    check_normalisation(file)?;
    let stated = file.text("tokenizer.ggml.pre")?;
    let pre = PreTokenizer::from_name(pre_tokenizer.or(stated))?;
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
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .ignore_merges(pre.ignores_merges())
        .build()
        .map_err(damaged)?;
    let mut library = LibraryTokenizer::new(model);
    library
        .with_normalizer(pre.normalizer())
        .map_err(damaged)?
        .with_pre_tokenizer(Some(pre.build()?));
    library
        .add_tokens(added(&tokens, &kinds))
        .map_err(damaged)?;
    let separator = separator(file, None, tokens.len())?;
    let around = around(file, specials, separator, (false, pre.adds_separator()))?;
    Ok(Tokenizer::new(
        Model::Library(Library::new(library, Decoder::ByteLevel)?),
        Decoder::ByteLevel,
        specials,
        around,
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
