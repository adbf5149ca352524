//! Tokenizers that are damaged, or of a kind that is not implemented, in both formats.

use lookback_model::Prefix;
use lookback_model::checkpoint::Checkpoint;
use lookback_model::tokenizer::Error;
use serde_json::{Value, json};

use crate::common::data;
use crate::gguf_bytes::{Entry, File, llama};

/// A copy of the folder `tied` with its tokenizer.json changed.
pub(crate) fn open(change: impl FnOnce(&mut Value)) -> Result<Checkpoint, String> {
    open_as("tied", change)
}

/// A copy of the folder `name` with its tokenizer.json changed.
pub(crate) fn open_as(name: &str, change: impl FnOnce(&mut Value)) -> Result<Checkpoint, String> {
    let source = data("tiny").join(name);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in ["config.json", "model.safetensors", "tokenizer_config.json"] {
        std::fs::copy(source.join(file), folder.path().join(file)).expect("room for a copy");
    }
    let text = std::fs::read_to_string(source.join("tokenizer.json")).expect("tokenizer.json");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    change(&mut value);
    std::fs::write(folder.path().join("tokenizer.json"), value.to_string()).expect("room");
    Checkpoint::open(folder.path()).map_err(|error| error.to_string())
}

pub(crate) fn refusal(change: impl FnOnce(&mut Value)) -> String {
    open(change).err().expect("a refusal")
}

#[test]
fn other_models_and_decoders_are_refused_by_name() {
    for kind in ["WordLevel", "Other"] {
        let message = refusal(|json| json["model"] = json!({"type": kind, "vocab": {}}));
        assert!(
            message.contains(kind) && message.contains("BPE, Unigram, WordPiece"),
            "{message}"
        );
    }
    for decoder in [
        json!({"type": "WordPiece", "prefix": "@@", "cleanup": true}),
        json!({"type": "Metaspace", "replacement": "_", "prepend_scheme": "always"}),
        json!({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "CTC"}]}),
        Value::Null,
    ] {
        let message = refusal(|json| json["decoder"] = decoder);
        assert!(
            message.contains("decoder") && message.contains("ByteLevel"),
            "{message}"
        );
    }
}

#[test]
fn word_pieces_are_those_of_bert() {
    let decoder = || json!({"type": "WordPiece", "prefix": "##", "cleanup": true});
    let model = || {
        json!({"type": "WordPiece", "unk_token": "a", "continuing_subword_prefix": "##",
               "max_input_chars_per_word": 100, "vocab": {"a": 0, "##b": 1}})
    };
    let refused = |key: &str, value: Value| {
        refusal(|json| {
            *json = json!({"decoder": decoder(), "model": model()});
            json["model"][key] = value;
        })
    };
    for (key, value) in [
        ("continuing_subword_prefix", json!("@@")),
        ("max_input_chars_per_word", json!(1_000_000)),
        ("max_input_chars_per_word", json!(-1)),
        ("unk_token", json!("b")),
        ("unk_token", Value::Null),
    ] {
        let message = refused(key, value);
        assert!(
            message.contains(key) && !message.contains('\n'),
            "{message}"
        );
    }
    let message = refusal(|json| json["decoder"] = decoder());
    assert!(
        message.contains("decoder") && message.contains("the model WordPiece"),
        "{message}"
    );
    let message = refusal(|json| json["model"] = model());
    assert!(message.contains("decoder ByteLevel"), "{message}");
    let message = refusal(|json| {
        *json = json!({"decoder": decoder(), "model": model(), "pre_tokenizer": {"type": "Whitespace"}});
    });
    assert!(
        message.contains("pre-tokenizer Whitespace") && message.contains("BertPreTokenizer"),
        "{message}"
    );
    let message = refusal(|json| {
        *json = json!({"decoder": decoder(), "model": model(), "normalizer": {"type": "Strip"}});
    });
    assert!(
        message.contains("normalizer Strip") && message.contains("BertNormalizer"),
        "{message}"
    );
}

/// The library's own words about a pattern take several lines.
#[test]
fn damaged_patterns_are_refused_in_one_line() {
    for pattern in ["(", "[a-", "(?<=a", "a{1000000000}", "\\p{Nowhere}"] {
        let message = refusal(|json| {
            json["pre_tokenizer"] = json!({"type": "Split", "pattern": {"Regex": pattern},
                                           "behavior": "Isolated", "invert": false});
        });
        assert!(
            !message.contains('\n') && message.contains("tokenizer.json"),
            "{message}"
        );
    }
}

/// Tokens drawn at random would give another answer every time.
/// Each look-ahead is compiled into megabytes: some hundred of them would take gigabytes before anybody looks at the clock.
#[test]
fn patterns_of_many_groups_are_refused_before_they_are_compiled() {
    let message = refusal(|json| {
        let pattern = "(?=\\pL{200})".repeat(300) + "a";
        json["pre_tokenizer"] = json!({"type": "Split", "pattern": {"Regex": pattern},
            "behavior": "Isolated", "invert": false});
    });
    assert!(
        message.contains("Split") && message.contains("is not supported"),
        "{message}"
    );
}

#[test]
fn dropout_and_affixes_are_refused() {
    for (key, value) in [
        ("dropout", json!(0.1)),
        ("continuing_subword_prefix", json!("##")),
        ("end_of_word_suffix", json!("</w>")),
    ] {
        let message = refusal(|json| json["model"][key] = value);
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn merges_of_what_is_no_token_are_refused() {
    for merge in [
        json!(["a", "日本"]),
        json!(["s", "z"]),
        json!("azz b"),
        json!(["a"]),
        json!("ab"),
        json!(5),
    ] {
        let message = refusal(|json| json["model"]["merges"].as_array_mut().unwrap().push(merge));
        assert!(
            message.contains("vocabulary is damaged: the merge"),
            "{message}"
        );
    }
    let message = refusal(|json| json["model"]["vocab"] = json!([]));
    assert!(message.contains("vocab"), "{message}");
}

/// What tokenizer.json says of cutting texts short, or filling them up, is for training.
#[test]
fn truncation_and_padding_are_ignored() {
    let checkpoint = open(|json| {
        json["truncation"] = json!({"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0});
        json["padding"] = json!({"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null,
                                 "pad_id": 0, "pad_type_id": 0, "pad_token": "<|endoftext|>"});
    })
    .unwrap();
    let prefix = lookback_model::Prefix::None;
    let encoding = checkpoint.tokenizer().encode("a b c", &prefix).unwrap();
    assert_eq!(checkpoint.tokenizer().decode(&encoding.ids, false), "a b c");
}

fn assert_refused(file: &File, expected: &[&str]) {
    let message = file.refusal();
    for part in expected {
        assert!(message.contains(part), "{part:?} not in {message:?}");
    }
}

#[test]
fn other_gguf_tokenizers_are_refused_by_name() {
    for name in ["rwkv", "plamo2", "none"] {
        let mut file = llama();
        file.set("tokenizer.ggml.model", Entry::Text(name));
        assert_refused(
            &file,
            &[
                name,
                "gpt2 (byte-level BPE), llama (SentencePiece BPE)",
                "bert",
                "t5",
            ],
        );
    }
    let mut file = llama();
    file.remove("tokenizer.ggml.model");
    assert_refused(&file, &["tokenizer.ggml.model", "missing"]);
    file.set("tokenizer.ggml.model", Entry::Text("gpt2"));
    assert_refused(&file, &["no tokenizer.ggml.pre", "--pre-tokenizer NAME"]);
    for name in ["gemma4", "sarvam-moe", "whitespace"] {
        file.set("tokenizer.ggml.pre", Entry::Text(name));
        assert_refused(&file, &[name, "smollm", "llama-bpe", "qwen2", "gpt-2"]);
    }
}

#[test]
fn gguf_vocabularies_must_agree_with_themselves() {
    let cases = [
        (
            "tokenizer.ggml.tokens",
            Entry::U32(5),
            "must be an array of texts",
        ),
        (
            "tokenizer.ggml.tokens",
            Entry::I32s(vec![1]),
            "must be an array of texts",
        ),
        ("tokenizer.ggml.tokens", Entry::Texts(vec![]), "is empty"),
        (
            "tokenizer.ggml.tokens",
            Entry::Texts(vec!["a"]),
            "entries for 1 tokens",
        ),
        (
            "tokenizer.ggml.scores",
            Entry::F32s(vec![0.0; 5]),
            "5 entries for 6 tokens",
        ),
        (
            "tokenizer.ggml.scores",
            Entry::F32s(vec![f32::NAN; 6]),
            "score of token 0 is NaN",
        ),
        (
            "tokenizer.ggml.scores",
            Entry::I32s(vec![0; 6]),
            "must be an array of f32",
        ),
        (
            "tokenizer.ggml.token_type",
            Entry::I32s(vec![1; 7]),
            "7 entries for 6 tokens",
        ),
        (
            "tokenizer.ggml.token_type",
            Entry::I32s(vec![9; 6]),
            "type 9",
        ),
        (
            "tokenizer.ggml.token_type",
            Entry::I32s(vec![1; 6]),
            "no unknown token",
        ),
        (
            "tokenizer.ggml.bos_token_id",
            Entry::U32(6),
            "there are 6 tokens",
        ),
        (
            "tokenizer.ggml.bos_token_id",
            Entry::Text("<s>"),
            "must be a token id",
        ),
        (
            "tokenizer.ggml.add_bos_token",
            Entry::U32(1),
            "must be true or false",
        ),
        (
            "tokenizer.ggml.remove_extra_whitespaces",
            Entry::Bool(1),
            "not supported",
        ),
        (
            "tokenizer.ggml.precompiled_charsmap",
            Entry::I32s(vec![1]),
            "not supported",
        ),
    ];
    for (key, entry, expected) in cases {
        let mut file = llama();
        file.set(key, entry);
        assert_refused(&file, &[expected]);
    }
    for key in ["tokenizer.ggml.tokens", "tokenizer.ggml.scores"] {
        let mut file = llama();
        file.remove(key);
        assert_refused(&file, &[&format!("{key} is missing")]);
    }
}

#[test]
fn gguf_merges_of_what_is_no_token_are_refused() {
    let mut file = llama();
    file.set("tokenizer.ggml.model", Entry::Text("gpt2"));
    file.set("tokenizer.ggml.pre", Entry::Text("smollm"));
    assert_refused(&file, &["tokenizer.ggml.merges is missing"]);
    for (merge, expected) in [
        ("a z", "\"z\""),
        ("▁ ▁", "\"▁▁\""),
        ("aa", "no pair"),
        ("", "no pair"),
    ] {
        file.set("tokenizer.ggml.merges", Entry::Texts(vec!["▁ a", merge]));
        assert_refused(&file, &["the merge", expected]);
    }
}

/// A vocabulary that lacks most bytes still reads what it has tokens for.
#[test]
fn gguf_texts_without_tokens_are_refused_and_not_cut() {
    let mut file = llama();
    file.set("tokenizer.ggml.model", Entry::Text("gpt2"));
    file.set("tokenizer.ggml.pre", Entry::Text("gpt-2"));
    file.set("tokenizer.ggml.merges", Entry::Texts(vec![]));
    let checkpoint = file.open().expect("a small vocabulary");
    let encode = |text: &str| checkpoint.tokenizer().encode(text, &Prefix::None);
    assert_eq!(encode("aa").unwrap().ids, [4, 4]);
    let message = encode("ab").unwrap_err().to_string();
    assert!(message.contains("byte 0x62 at 1"), "{message}");
}

/// A tokenizer whose pattern, of the kind that looks ahead and back, takes some hundredths of a second a letter.
fn slow(pattern: &str) -> Checkpoint {
    let split = json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false});
    let steps = json!({"type": "Sequence", "pretokenizers": [split, bytes]});
    open(|json| json["pre_tokenizer"] = steps).expect("a tokenizer that is slow and nothing else")
}

#[test]
fn slow_patterns_are_stopped() {
    let checkpoint = slow(r"a(?=(a{0,900})(a{0,900})\1b|a|$)");
    let tokenizer = checkpoint.tokenizer();
    let text = "a".repeat(2000);
    // By whoever waits for it, between two words.
    let asked = std::cell::Cell::new(0);
    let cancelled = || asked.replace(asked.get() + 1) >= 5;
    let stopped = tokenizer.encode_cancellable(&text, &Prefix::None, &cancelled);
    assert!(matches!(stopped, Err(Error::Cancelled)));
    // By the time that it takes.
    let message = tokenizer
        .encode(&text, &Prefix::None)
        .unwrap_err()
        .to_string();
    assert!(message.contains("more than 5 seconds"), "{message}");
    assert_eq!(
        tokenizer.encode("aab", &Prefix::None).unwrap().spans.len(),
        3
    );
}

/// The library would leave the rest of the text uncut, without a word.
#[test]
fn a_match_that_goes_back_without_end_is_refused() {
    let checkpoint = slow(r"(a+)+\1c|(?=b)b");
    let text = "a".repeat(60);
    let message = checkpoint
        .tokenizer()
        .encode(&text, &Prefix::None)
        .unwrap_err()
        .to_string();
    assert!(message.contains("goes back too often"), "{message}");
}

/// Within one match nothing is counted where the pattern never goes back, and what it looks ahead at is as long as the text.
#[test]
fn a_match_that_looks_ahead_without_end_is_left_to_itself() {
    let checkpoint = slow(r"(?:a(?=.*\z))*");
    let text = "a".repeat(60_000);
    let asked = std::cell::Cell::new(0);
    // More often than there are steps and words: again and again while the one match goes on.
    let cancelled = || asked.replace(asked.get() + 1) >= 10;
    let tokenizer = checkpoint.tokenizer();
    let stopped = tokenizer.encode_cancellable(&text, &Prefix::None, &cancelled);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}
