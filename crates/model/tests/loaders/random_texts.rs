//! Tokenizers against the ids that the original libraries give for random texts: every way to cut words that GGUF files
//! name, on a vocabulary whose merges go across words, and the unigram model. Those of the families' own checkpoints
//! are tested beside the tokenizer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lookback_model::Prefix;
use lookback_model::checkpoint::Checkpoint;
use serde_json::Value;

use crate::gguf_bytes::{Entry, File, llama, matrix};
use crate::hostile_tokenizer::open;
use crate::texts;

fn read(name: &str) -> Value {
    let file = std::fs::read(texts::folder().join(name)).expect("the tokenizer");
    serde_json::from_slice(&file).expect("JSON")
}

fn check(name: &str, checkpoint: &Checkpoint) {
    texts::check(name, |text| {
        let encoding = checkpoint.tokenizer().encode(text, &Prefix::None);
        encoding.expect("any text").ids
    });
}

/// Texts that live as long as the test.
fn leaked(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

/// The tokens of a tokenizer.json in order, and whether each is an added one.
fn tokens(json: &Value) -> (Vec<&'static str>, Vec<i32>) {
    const NORMAL: i32 = 1;
    const CONTROL: i32 = 3;
    let mut tokens: Vec<(u64, &str, i32)> = match &json["model"]["vocab"] {
        Value::Object(vocabulary) => {
            let entries = vocabulary.iter();
            entries
                .map(|(token, id)| (id.as_u64().unwrap(), token.as_str(), NORMAL))
                .collect()
        }
        pieces => (0..)
            .zip(pieces.as_array().unwrap())
            .map(|(id, piece)| (id, piece[0].as_str().unwrap(), NORMAL))
            .collect(),
    };
    for added in json["added_tokens"].as_array().unwrap() {
        let id = added["id"].as_u64().unwrap();
        tokens.retain(|token| token.0 != id);
        tokens.push((id, added["content"].as_str().unwrap(), CONTROL));
    }
    tokens.sort_unstable();
    assert!((0..).zip(&tokens).all(|(index, token)| token.0 == index));
    tokens
        .into_iter()
        .map(|(_, token, kind)| (leaked(token), kind))
        .unzip()
}

/// A file with the vocabulary of a tokenizer.json.
fn file(json: &Value, model: &'static str) -> File {
    let mut file = llama();
    let (texts, kinds) = tokens(json);
    *file.tensor("token_embd.weight") = matrix("token_embd.weight", 8, texts.len() as u64);
    file.set("tokenizer.ggml.model", Entry::Text(model));
    file.set("tokenizer.ggml.tokens", Entry::Texts(texts));
    file.set("tokenizer.ggml.token_type", Entry::I32s(kinds));
    file.remove("tokenizer.ggml.scores");
    file
}

/// By the name of a pre-tokenizer: whose digests hold for it.
const CUTS: [(&str, &str); 18] = [
    ("gpt-2", "gpt-2"),
    ("phi-2", "gpt-2"),
    ("roberta-bpe", "gpt-2"),
    ("olmo", "olmo"),
    ("mpt", "olmo"),
    ("modern-bert", "olmo"),
    ("smollm", "smollm"),
    ("starcoder", "smollm"),
    ("refact", "smollm"),
    ("command-r", "command-r"),
    ("llama-bpe", "llama-bpe"),
    ("dbrx", "dbrx"),
    ("qwen2", "qwen2"),
    ("deepseek-r1-qwen", "qwen2"),
    ("tekken", "tekken"),
    ("gpt-4o", "gpt-4o"),
    ("deepseek-v3", "deepseek-v3"),
    ("default", "default"),
];

#[test]
fn gguf_cuts_words_as_each_of_its_pre_tokenizers_says() {
    let json = read("uncut.json");
    let mut file = file(&json, "gpt2");
    let merges = json["model"]["merges"].as_array().unwrap().iter();
    let line = |pair: &Value| {
        leaked(&format!(
            "{} {}",
            pair[0].as_str().unwrap(),
            pair[1].as_str().unwrap()
        ))
    };
    file.set(
        "tokenizer.ggml.merges",
        Entry::Texts(merges.map(line).collect()),
    );
    for (name, reference) in CUTS {
        file.set("tokenizer.ggml.pre", Entry::Text(name));
        check(
            &format!("pre-{reference}"),
            &file.open().expect("a known pre-tokenizer"),
        );
    }
}

#[test]
fn unigram_from_both_formats() {
    let json = read("unigram.json");
    check(
        "unigram",
        &open(|tokenizer| *tokenizer = json.clone()).expect("a unigram model"),
    );
    let mut file = file(&json, "t5");
    let score = |piece: &Value| piece[1].as_f64().unwrap() as f32;
    let scores = json["model"]["vocab"]
        .as_array()
        .unwrap()
        .iter()
        .map(score)
        .collect();
    file.set("tokenizer.ggml.scores", Entry::F32s(scores));
    let table = json["normalizer"]["precompiled_charsmap"].as_str().unwrap();
    file.set(
        "tokenizer.ggml.precompiled_charsmap",
        bytes(&decoded(table)),
    );
    file.set("tokenizer.ggml.remove_extra_whitespaces", Entry::Bool(1));
    file.set("tokenizer.ggml.unknown_token_id", Entry::U32(2));
    file.remove("tokenizer.ggml.bos_token_id");
    file.set("tokenizer.ggml.eos_token_id", Entry::U32(1));
    let checkpoint = file.open().expect("a unigram model");
    check("unigram", &checkpoint);
    let tokenizer = checkpoint.tokenizer();
    let encoding = tokenizer.encode("the tide", &Prefix::Declared).unwrap();
    assert_eq!((encoding.prefix_tokens, encoding.suffix_tokens), (0, 1));
    assert_eq!(tokenizer.suffix_texts(&encoding), ["</s>"]);
    assert_eq!(tokenizer.decode(&encoding.ids, true), "the tide");
}

/// An array of bytes.
fn bytes(values: &[u8]) -> Entry {
    const ARRAY: u32 = 9;
    let mut array = 0_u32.to_le_bytes().to_vec();
    array.extend((values.len() as u64).to_le_bytes());
    array.extend(values);
    Entry::Raw(ARRAY, array)
}

/// The bytes that a text in base64 stands for.
fn decoded(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base64")
}

#[test]
fn a_table_of_characters_that_leads_outside_is_refused_in_both_formats() {
    let json = read("unigram.json");
    let bad = "AAAA/////w==";
    let refused = open(|tokenizer| {
        *tokenizer = json.clone();
        tokenizer["normalizer"]["precompiled_charsmap"] = bad.into();
    });
    let message = refused.err().expect("a refusal");
    assert!(
        message.contains("normalizer") && message.contains("sound table"),
        "{message}"
    );
    let mut file = file(&json, "t5");
    let count = json["model"]["vocab"].as_array().unwrap().len();
    file.set("tokenizer.ggml.scores", Entry::F32s(vec![-1.0; count]));
    file.set("tokenizer.ggml.precompiled_charsmap", bytes(&decoded(bad)));
    let message = file.refusal();
    assert!(message.contains("leads outside of itself"), "{message}");
}
