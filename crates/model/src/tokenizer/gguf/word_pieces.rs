//! BERT's word pieces (`bert`).
//!
//! llama.cpp's converter writes the beginning of a word with `▁` and leaves out the `##` of what continues it. It is put
//! back here, and the rest is as BERT's tokenizer.json has it.

use tokenizers::Tokenizer as LibraryTokenizer;
use tokenizers::models::bpe::Vocab;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;

use super::super::decoder::{CONTINUES, Decoder};
use super::super::library::Library;
use super::super::sentencepiece::PieceKind;
use super::super::{Around, Error, Model, Specials, Tokenizer};
use super::keys::{added, damaged, id, kinds, separator, specials, tokens};
use crate::checkpoint::gguf::GgufFile;

pub(super) fn tokenizer(file: &GgufFile) -> Result<Tokenizer, Error> {
    let tokens = tokens(file)?;
    let kinds = kinds(file, tokens.len())?;
    let count = tokens.len();
    // Where the file names none, those of BERT's own vocabulary.
    let known = |id: u32| Some(id).filter(|&id| (id as usize) < count);
    let default = Specials {
        bos: known(101),
        eos: None,
        mask: known(103),
        adds_bos: true,
    };
    let specials = specials(file, default, count)?;
    let separator = separator(file, known(102), count)?;
    let unknown = id(file, "tokenizer.ggml.unknown_token_id", known(100), count)?;
    let unknown = unknown.ok_or_else(|| Error::Vocabulary {
        detail: "it has no unknown token (tokenizer.ggml.unknown_token_id)".to_owned(),
    })?;
    let pieces: Vec<String> = tokens
        .iter()
        .zip(&kinds)
        .map(|(token, kind)| piece(token, *kind))
        .collect();
    let vocabulary: Vocab = pieces.iter().cloned().zip(0..).collect();
    let model = WordPiece::builder()
        .vocab(vocabulary)
        .unk_token(pieces[unknown as usize].clone())
        .build()
        .map_err(damaged)?;
    let lowercase = file
        .bool("tokenizer.ggml.normalizer.lowercase")?
        .unwrap_or(true);
    let strips_accents = file.bool("tokenizer.ggml.normalizer.strip_accents")?;
    let mut library = LibraryTokenizer::new(model);
    library
        .with_normalizer(Some(BertNormalizer::new(
            true,
            true,
            strips_accents,
            lowercase,
        )))
        .map_err(damaged)?
        .with_pre_tokenizer(Some(BertPreTokenizer));
    library
        .add_tokens(added(&tokens, &kinds))
        .map_err(damaged)?;
    let decoder = Decoder::WordPieces { cleanup: true };
    // Whatever else the file says of them: so BERT was trained.
    let around = Around {
        before: specials.bos.into_iter().collect(),
        after: separator.into_iter().collect(),
    };
    Ok(Tokenizer::new(
        Model::Library(Library::new(library, decoder)?),
        decoder,
        specials,
        around,
    ))
}

/// A token as BERT's vocabulary spells it.
fn piece(token: &str, kind: PieceKind) -> String {
    match (kind, token.strip_prefix('▁')) {
        (PieceKind::Control | PieceKind::Unknown, _) => token.to_owned(),
        (_, Some(word)) => word.to_owned(),
        (_, None) => format!("{CONTINUES}{token}"),
    }
}
