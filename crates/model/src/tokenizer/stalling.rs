//! Vocabularies that are made to stall or to end the process: a text that would take minutes is given up when nobody wants it any
//! more, and what the library cannot bear is refused.

use std::cell::Cell;

use serde_json::{Value, json};

use super::clock::Clock;
use super::sentencepiece::{PieceKind, SentencePiece, VocabularyEntry};
use super::{Error, JsonOptions, Prefix, Tokenizer};

/// A vocabulary of these, and an unknown token.
fn pieces(kind: PieceKind, texts: impl Iterator<Item = String>) -> SentencePiece {
    let unknown = VocabularyEntry {
        text: "<unk>".to_owned(),
        score: 0.0,
        kind: PieceKind::Unknown,
    };
    let others = texts.enumerate().map(|(at, text)| VocabularyEntry {
        text,
        score: at as f32,
        kind,
    });
    SentencePiece::new(std::iter::once(unknown).chain(others).collect(), false).unwrap()
}

/// Whether encoding is given up at the third look at the clock.
fn is_given_up(model: &SentencePiece, text: &str) -> bool {
    let looks = Cell::new(0);
    let cancelled = || looks.replace(looks.get() + 1) >= 3;
    let clock = Clock::start(text, &cancelled);
    matches!(model.encode(text, &clock), Err(Error::Cancelled))
}

/// Each merge of a row of the same letter makes a longer piece, which is looked up.
#[test]
fn long_pieces() {
    let model = pieces(
        PieceKind::Normal,
        (1..2000).map(|length| "a".repeat(length)),
    );
    assert!(is_given_up(&model, &"a".repeat(100_000)));
    let clock = Clock::start("", &|| false);
    let tokens = model.encode(&"a".repeat(4000), &clock).unwrap();
    assert_eq!(tokens.len(), 3, "twice the longest piece, and the rest");
}

/// Each letter may begin any of the tokens, of which none is there.
#[test]
fn many_special_tokens() {
    let texts = (1..2000).map(|length| format!("{}b", "a".repeat(length)));
    let model = pieces(PieceKind::UserDefined, texts);
    assert!(is_given_up(&model, &"a".repeat(100_000)));
}

/// A tokenizer.json of unigram's kind.
fn unigram(vocabulary: &[Value]) -> Result<Tokenizer, Error> {
    let metaspace =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    let json = json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null,
        "pre_tokenizer": metaspace, "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 0, "vocab": vocabulary, "byte_fallback": false},
    });
    Tokenizer::from_json(&json.to_string(), &JsonOptions::default())
}

/// The library takes its tree of pieces down by recursion.
#[test]
fn a_piece_as_long_as_the_stack_is_deep() {
    let vocabulary = [json!(["<unk>", 0.0]), json!(["a".repeat(1 << 20), -1.0])];
    let message = unigram(&vocabulary).err().unwrap().to_string();
    assert!(message.contains("1024 bytes each"), "{message}");
}

/// Unigram takes a word apart in one step that cannot be broken off: at each letter it copies every piece that begins there.
#[test]
fn a_word_of_unigram() {
    let mut vocabulary = vec![json!(["<unk>", 0.0])];
    vocabulary.extend((1..600).map(|length| json!(["a".repeat(length), -1.0])));
    let tokenizer = unigram(&vocabulary).unwrap();
    let encode = |length: usize, looks_allowed: usize| {
        let looks = Cell::new(0);
        let cancelled = || looks.replace(looks.get() + 1) >= looks_allowed;
        tokenizer.encode_cancellable(&"a".repeat(length), &Prefix::None, &cancelled)
    };
    assert!(matches!(encode(20_000, 5), Err(Error::Cancelled)));
    // On the caller's thread and on one of its own.
    for length in [100, 1000] {
        let encoding = encode(length, usize::MAX).unwrap();
        assert_eq!(encoding.spans.last().unwrap().1, length);
    }
}
