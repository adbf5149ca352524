//! The steps of a tokenizer.json: those that are taken, those that are refused, and what would be lost without them.

use lookback_model::Prefix;
use serde_json::{Value, json};

use crate::hostile_tokenizer::{open, open_as};
use crate::probes::{ids, probes};
use crate::tiny::folder;

fn byte_level(add_prefix_space: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": true, "use_regex": true})
}

fn split(behavior: &str) -> Value {
    json!({"type": "Split", "pattern": {"Regex": "\\s+"}, "behavior": behavior, "invert": false})
}

fn sequence(key: &str, steps: &[Value]) -> Value {
    json!({"type": "Sequence", key: steps})
}

fn assert_refused_in(name: &str, change: impl FnOnce(&mut Value), words: &[&str]) {
    let message = open_as(name, change).err();
    let message = message.expect("a refusal");
    assert!(!message.contains('\n') && message.len() < 1000, "{message}");
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

fn assert_refused(change: impl FnOnce(&mut Value), words: &[&str]) {
    assert_refused_in("tied", change, words);
}

/// Each of these crashed, or took memory without bound, or changed the text so that its spans were wrong.
#[test]
fn normalizers_are_those_of_real_files() {
    let replace = |pattern: Value, content: &str| json!({"type": "Replace", "pattern": pattern, "content": content});
    let precompiled = json!({"type": "Precompiled", "precompiled_charsmap": "AAAA/////w=="});
    for (step, name) in [
        (precompiled, "Precompiled"),
        (replace(json!({"Regex": ""}), "xxxxxxxx"), "Replace"),
        (replace(json!({"String": ""}), "x"), "Replace"),
        (replace(json!({"String": "a"}), ""), "Replace"),
        (
            json!({"type": "Prepend", "prepend": "x".repeat(100_000)}),
            "Prepend",
        ),
        (json!({"type": "Lowercase"}), "Lowercase"),
        (
            json!({"type": "Strip", "strip_left": true, "strip_right": true}),
            "Strip",
        ),
        (json!({"type": "NFKC"}), "NFKC"),
        (json!({"type": "ByteLevel"}), "ByteLevel"),
        (json!({"type": "Nmt"}), "Nmt"),
        (json!({"prepend": "▁"}), "prepend"),
        (json!(["NFC"]), "NFC"),
        (json!("NFC"), "NFC"),
    ] {
        for value in [
            step.clone(),
            sequence("normalizers", &[json!({"type": "NFC"}), step]),
        ] {
            for kind in ["tied", "head-dim-f16"] {
                assert_refused_in(
                    kind,
                    |json| json["normalizer"] = value.clone(),
                    &["normalizer", name],
                );
            }
        }
    }
    // What SentencePiece needs is not for byte-level vocabularies, whose decoder would not undo it.
    let space = replace(json!({"String": " "}), "▁");
    assert_refused(
        |json| json["normalizer"] = space,
        &["Replace", "supported are NFC"],
    );
    let nested = sequence("normalizers", &[sequence("normalizers", &[])]);
    assert_refused(
        |json| json["normalizer"] = nested,
        &["normalizer", "Sequence"],
    );
    let many = sequence("normalizers", &vec![json!({"type": "NFC"}); 10_000]);
    assert_refused(
        |json| json["normalizer"] = many,
        &["10000 steps", "at most 8"],
    );
}

#[test]
fn pre_tokenizers_are_those_of_real_files() {
    for (step, name) in [
        (json!({"type": "FixedLength", "length": 0}), "FixedLength"),
        (json!({"type": "Whitespace"}), "Whitespace"),
        (json!({"type": "WhitespaceSplit"}), "WhitespaceSplit"),
        (json!({"type": "BertPreTokenizer"}), "BertPreTokenizer"),
        (
            json!({"type": "CharDelimiterSplit", "delimiter": "a"}),
            "CharDelimiterSplit",
        ),
        (json!({"type": "UnicodeScripts"}), "UnicodeScripts"),
        (
            json!({"type": "Punctuation", "behavior": "Removed"}),
            "Punctuation",
        ),
        (
            json!({"type": "Metaspace", "replacement": "_", "prepend_scheme": "first"}),
            "Metaspace",
        ),
        (split("Removed"), "Removed"),
        (json!({"use_regex": true}), "use_regex"),
    ] {
        let before = sequence("pretokenizers", &[step.clone(), byte_level(false)]);
        assert_refused(
            |json| json["pre_tokenizer"] = before,
            &["pre-tokenizer", name],
        );
        for kind in ["tied", "head-dim-f16"] {
            assert_refused_in(
                kind,
                |json| json["pre_tokenizer"] = step.clone(),
                &["pre-tokenizer", name],
            );
        }
    }
    let long = json!({"type": "Split", "pattern": {"Regex": "a|".repeat(5000)}, "behavior": "Isolated", "invert": false});
    assert_refused(
        |json| json["pre_tokenizer"] = long,
        &["pre-tokenizer", "Split"],
    );
    let many = sequence(
        "pretokenizers",
        &vec![json!({"type": "Digits", "individual_digits": true}); 1000],
    );
    assert_refused(|json| json["pre_tokenizer"] = many, &["1000 steps"]);
}

/// A byte-level vocabulary holds no plain spaces or letters beyond ASCII: what nothing writes as its bytes was
/// left out.
#[test]
fn a_byte_level_decoder_needs_a_byte_level_pre_tokenizer() {
    for value in [
        Value::Null,
        json!({"type": "Digits", "individual_digits": true}),
        split("Isolated"),
        sequence("pretokenizers", &[byte_level(false), split("Isolated")]),
        sequence("pretokenizers", &[]),
    ] {
        assert_refused(
            |json| json["pre_tokenizer"] = value,
            &["pre-tokenizer", "ByteLevel"],
        );
    }
    assert_refused_in(
        "head-dim-f16",
        |json| json["pre_tokenizer"] = byte_level(false),
        &["Metaspace"],
    );
}

#[test]
fn a_vocabulary_needs_something_for_every_character() {
    let words = ["unk_token", "byte_fallback", "lost"];
    let no_bytes = |json: &mut Value| {
        json["model"]["unk_token"] = Value::Null;
        json["model"]["byte_fallback"] = json!(false);
    };
    assert_refused_in("head-dim-f16", no_bytes, &words);
    let one_byte_less = |json: &mut Value| {
        json["model"]["unk_token"] = Value::Null;
        json["model"]["vocab"]
            .as_object_mut()
            .unwrap()
            .remove("<0x7F>");
    };
    assert_refused_in("head-dim-f16", one_byte_less, &words);
    let not_a_token = |json: &mut Value| json["model"]["unk_token"] = json!("<none>");
    assert!(
        open_as("head-dim-f16", not_a_token).is_ok(),
        "bytes are enough"
    );
    let neither = |json: &mut Value| {
        not_a_token(json);
        json["model"]["byte_fallback"] = json!(false);
    };
    assert_refused_in("head-dim-f16", neither, &words);
    let bytes_alone = |json: &mut Value| json["model"]["unk_token"] = Value::Null;
    let checkpoint = open_as("head-dim-f16", bytes_alone).unwrap();
    let encoding = checkpoint
        .tokenizer()
        .encode("é🙂\u{1}", &Prefix::None)
        .unwrap();
    assert_eq!(encoding.spans.last(), Some(&(6, 7)));
    assert_eq!(
        checkpoint.tokenizer().decode(&encoding.ids, false),
        "é🙂\u{1}"
    );
}

/// As GPT-2's relatives set it: the first word is written as those that follow a space.
#[test]
fn the_space_that_a_byte_level_tokenizer_adds_has_no_bytes_of_the_text() {
    let checkpoint = open(|json| json["pre_tokenizer"] = byte_level(true)).unwrap();
    let tokenizer = checkpoint.tokenizer();
    let encode = |text: &str| tokenizer.encode(text, &Prefix::None).unwrap();
    // One token with the space in it stands for the word.
    let the = encode("the");
    assert_eq!((the.ids.len(), &*the.spans), (1, &[(0, 3)][..]));
    assert_eq!(the.ids, ids(folder("tied").tokenizer(), " the"));
    // A space of its own stands for nothing, also after a special token; the text's own space for itself.
    assert_eq!(encode("q").spans, [(0, 0), (0, 1)]);
    assert_eq!(encode("é").spans[0], (0, 0));
    assert_eq!(encode(" q").spans, [(0, 1), (1, 2)]);
    let after = encode("q<|im_end|>q");
    assert_eq!(after.spans, [(0, 0), (0, 1), (1, 11), (11, 11), (11, 12)]);
    for probe in probes("tied") {
        let spans = encode(&probe.text).spans;
        let mut end = 0;
        for (from, to) in spans {
            assert!(
                probe.text.get(from..to).is_some() && from <= end,
                "{:?}",
                probe.text
            );
            end = end.max(to);
        }
        assert_eq!(end, probe.text.len(), "{:?}", probe.text);
    }
}
