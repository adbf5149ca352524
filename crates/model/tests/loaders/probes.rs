//! Tokenizers against the ids of the `tokenizers` and `sentencepiece` libraries, on texts that
//! tell pre-tokenizers apart (`scripts/tiny_tokenizers.py`).

use lookback_model::checkpoint::Checkpoint;
use lookback_model::tokenizer::{Error, Prefix, Tokenizer};

use crate::common::data;
use crate::tiny::{folder, gguf};

#[derive(serde::Deserialize)]
pub(crate) struct Probe {
    pub(crate) text: String,
    pub(crate) ids: Vec<u32>,
}

pub(crate) fn probes(name: &str) -> Vec<Probe> {
    let file = std::fs::read(data("tiny").join(name).join("probes.json")).expect("the probes");
    let probes: Vec<Probe> = serde_json::from_slice(&file).expect("a list of probes");
    assert!(probes.len() >= 40);
    probes
}

pub(crate) fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.encode(text, &Prefix::None).expect("any text").ids
}

fn check(name: &str, checkpoint: &Checkpoint) {
    for probe in probes(name) {
        let found = ids(checkpoint.tokenizer(), &probe.text);
        assert_eq!(found, probe.ids, "{name}: {:?}", probe.text);
    }
}

#[test]
fn tokenizer_json_gives_the_ids_of_the_libraries() {
    for name in ["tied", "untied-bf16", "grouped", "sharded", "head-dim-f16"] {
        check(name, &folder(name));
    }
}

#[test]
fn gguf_smollm() {
    check("tied", &gguf("tied"));
}

#[test]
fn gguf_gpt2() {
    check("untied-bf16", &gguf("untied-bf16"));
}

#[test]
fn gguf_qwen2() {
    check("grouped", &gguf("grouped"));
}

#[test]
fn gguf_llama_bpe() {
    check("sharded", &gguf("sharded"));
}

#[test]
fn gguf_sentencepiece() {
    check("head-dim-f16", &gguf("head-dim-f16"));
}

/// Characters without a piece or bytes become one unknown token a run.
#[test]
fn gguf_sentencepiece_without_bytes() {
    check("k-quants", &gguf("k-quants"));
}

/// The four byte-level tokenizers share their vocabulary: it is the cuts that differ.
#[test]
fn the_probes_tell_the_pre_tokenizers_apart() {
    let names = ["tied", "untied-bf16", "grouped", "sharded"];
    let all = names.map(probes);
    for (a, left) in all.iter().enumerate() {
        for right in &all[..a] {
            let differing = left.iter().zip(right).filter(|(l, r)| l.ids != r.ids);
            assert!(differing.count() >= 2);
        }
    }
}

const ALL: [&str; 6] = [
    "tied",
    "untied-bf16",
    "grouped",
    "sharded",
    "head-dim-f16",
    "k-quants",
];

fn tokenizers() -> impl Iterator<Item = (&'static str, Checkpoint)> {
    let folders = ALL.into_iter().filter(|&name| name != "k-quants");
    ALL.into_iter()
        .map(|name| (name, gguf(name)))
        .chain(folders.map(|name| (name, folder(name))))
}

#[test]
fn spans_cover_the_text_in_order_and_hold_whole_characters() {
    for (name, checkpoint) in tokenizers() {
        for Probe { text, .. } in probes(name) {
            let encoding = checkpoint.tokenizer().encode(&text, &Prefix::None).unwrap();
            assert_eq!(encoding.spans.len(), encoding.ids.len());
            let mut end = 0;
            for &(from, to) in &encoding.spans {
                let context = format!("{name}: {text:?} {:?}", encoding.spans);
                assert!(text.get(from..to).is_some(), "{context}");
                // A token goes on where the last one ended, or shares its last characters.
                assert!(from <= end && to >= end || from == to, "{context}");
                end = end.max(to);
            }
            assert_eq!(end, text.len(), "{name}: {text:?} {:?}", encoding.spans);
        }
    }
}

#[test]
fn tokens_of_one_character_share_its_span() {
    let text = "a 👩";
    for (name, checkpoint) in tokenizers().filter(|(name, _)| *name != "k-quants") {
        let encoding = checkpoint.tokenizer().encode(text, &Prefix::None).unwrap();
        let emoji: Vec<_> = encoding.spans.iter().filter(|span| span.1 == 6).collect();
        assert!(emoji.len() >= 3, "{name}: {encoding:?}");
        assert!(emoji.iter().all(|span| span.0 <= 2), "{name}: {encoding:?}");
    }
}

#[test]
fn decoding_gives_the_text_back() {
    for (name, checkpoint) in tokenizers().filter(|(name, _)| *name != "k-quants") {
        let tokenizer = checkpoint.tokenizer();
        for Probe { text, .. } in probes(name) {
            // Qwen composes letters and their marks, and Llama's tokenizer puts a space before
            // what follows a special token, and reads `▁` as a space.
            let changed = match name {
                "grouped" => text.contains('\u{301}'),
                "head-dim-f16" => {
                    text.contains("<s>") || text.contains('▁') || text.contains("<unk>")
                }
                _ => false,
            };
            let ids = ids(tokenizer, &text);
            if !changed {
                assert_eq!(tokenizer.decode(&ids, false), text, "{name}");
            }
        }
    }
}

/// The stream gives what decoding at once gives, and never half a character.
#[test]
fn streaming_holds_characters_back_until_they_are_whole() {
    for (name, checkpoint) in tokenizers() {
        let tokenizer = checkpoint.tokenizer();
        for Probe { text, .. } in probes(name) {
            let ids = ids(tokenizer, &text);
            let mut stream = tokenizer.stream(false);
            let mut streamed = String::new();
            for &id in &ids {
                let part = stream.push(id);
                assert!(
                    text.contains('\u{fffd}') || !part.contains('\u{fffd}'),
                    "{name}: {text:?} {part:?}"
                );
                streamed.push_str(&part);
            }
            streamed.push_str(&stream.finish());
            // A stream continues a text: it keeps the space that decoding takes off.
            let whole = tokenizer.decode(&ids, false);
            assert!(
                streamed == whole || streamed.strip_prefix(' ') == Some(&whole),
                "{name}: {streamed:?} {whole:?}"
            );
        }
    }
}

#[test]
fn broken_characters_are_shown_as_such() {
    let checkpoint = gguf("tied");
    let tokenizer = checkpoint.tokenizer();
    let emoji = ids(tokenizer, "👩");
    assert_eq!(tokenizer.token_text(emoji[0]).unwrap(), "\u{fffd}");
    let mut stream = tokenizer.stream(false);
    assert_eq!(stream.push(emoji[0]), "");
    // Another character begins: the first one will never be whole.
    assert_eq!(stream.push(ids(tokenizer, "a")[0]), "\u{fffd}a");
    assert_eq!(stream.push(emoji[0]), "");
    assert_eq!(stream.finish(), "\u{fffd}");
    assert_eq!(tokenizer.stream(false).push(u32::MAX), "");
    assert_eq!(tokenizer.token_text(u32::MAX), None);
}

#[test]
fn special_tokens_can_be_skipped() {
    for checkpoint in [gguf("tied"), folder("tied")] {
        let tokenizer = checkpoint.tokenizer();
        let text = "<|im_start|>a<tool>b<|im_end|>";
        let ids = ids(tokenizer, text);
        assert_eq!(tokenizer.decode(&ids, false), text);
        // Added tokens that are not special stay.
        assert_eq!(tokenizer.decode(&ids, true), "a<tool>b");
        assert_eq!(tokenizer.token_id("<|im_end|>"), Some(ids[4]));
        assert_eq!(tokenizer.eos(), Some(ids[4]));
    }
}

#[test]
fn prefixes_stand_apart_from_the_text() {
    for checkpoint in [gguf("tied"), folder("tied")] {
        let tokenizer = checkpoint.tokenizer();
        let encode = |prefix| tokenizer.encode("he", &prefix).unwrap();
        let plain = encode(Prefix::None);
        assert_eq!((plain.prefix_tokens, plain.ids.len()), (0, 1));
        let bos = encode(Prefix::Bos);
        assert_eq!(bos.ids, [tokenizer.bos().unwrap(), plain.ids[0]]);
        assert_eq!(
            (bos.prefix_tokens, &bos.spans[..]),
            (1, &[(0, 0), (0, 2)][..])
        );
        // Nothing is declared for the model, so that its bos token is the default.
        assert_eq!(encode(Prefix::Declared), bos);
        let text = encode(Prefix::Text("<|endoftext|>the".into()));
        let end = tokenizer.token_id("<|endoftext|>").unwrap();
        assert_eq!(text.ids[0], end);
        assert_eq!(text.ids.last(), plain.ids.last());
        assert_eq!(text.prefix_tokens, text.ids.len() - 1);
        assert_eq!(text.text, "he");
        assert!(!text.prefix_was_in_text && !bos.prefix_was_in_text);
        let nothing = tokenizer.encode("", &Prefix::Bos).unwrap();
        assert_eq!(nothing.ids, [tokenizer.bos().unwrap()]);
    }
}

#[test]
fn a_text_that_begins_with_its_prefix_has_it_once() {
    for checkpoint in [gguf("tied"), folder("tied")] {
        let tokenizer = checkpoint.tokenizer();
        let prefix = Prefix::Text("<|endoftext|>".into());
        let put_before = tokenizer.encode("he", &prefix).unwrap();
        let in_text = tokenizer.encode("<|endoftext|>he", &prefix).unwrap();
        assert!(in_text.prefix_was_in_text);
        assert_eq!(in_text.ids, put_before.ids);
        assert_eq!((in_text.prefix_tokens, &in_text.text[..]), (1, "he"));
        assert_eq!(in_text.spans, [(0, 0), (0, 2)]);
        // Another special token is no prefix, and neither are words that happen to be the same.
        let other = tokenizer.encode("<|im_end|>he", &prefix).unwrap();
        assert_eq!((other.ids.len(), other.prefix_was_in_text), (3, false));
        let words = tokenizer
            .encode("hehe", &Prefix::Text("he".into()))
            .unwrap();
        assert!(!words.prefix_was_in_text && words.text == "hehe");
    }
}

#[test]
fn tokenizers_that_add_bos_say_so() {
    for name in ["sharded", "head-dim-f16"] {
        for checkpoint in [gguf(name), folder(name)] {
            let tokenizer = checkpoint.tokenizer();
            assert!(tokenizer.adds_bos(), "{name}");
            let encoding = tokenizer.encode("he", &Prefix::Declared).unwrap();
            assert_eq!(encoding.ids[0], tokenizer.bos().unwrap());
            assert_eq!(encoding.prefix_tokens, 1);
        }
    }
    assert!(!gguf("tied").tokenizer().adds_bos() && !folder("tied").tokenizer().adds_bos());
}

/// A space of the tokenizer's own stands for no byte of the text.
#[test]
fn the_space_that_sentencepiece_adds_has_an_empty_span() {
    for checkpoint in [gguf("head-dim-f16"), folder("head-dim-f16")] {
        let encoding = checkpoint
            .tokenizer()
            .encode("日<s>日", &Prefix::None)
            .unwrap();
        let empty: Vec<_> = encoding.spans.iter().filter(|(a, b)| a == b).collect();
        assert_eq!(empty, [&(0, 0), &(6, 6)], "{encoding:?}");
    }
}

/// The way tokenizers of the Llama family are written since their spaces were mended.
#[test]
fn metaspace_gives_the_ids_of_sentencepiece_and_true_spans() {
    let folder = tempfile::tempdir().unwrap();
    let source = data("tiny").join("head-dim-f16");
    for file in ["config.json", "model.safetensors", "tokenizer_config.json"] {
        std::fs::copy(source.join(file), folder.path().join(file)).unwrap();
    }
    let text = std::fs::read_to_string(source.join("tokenizer.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["normalizer"] = serde_json::Value::Null;
    json["pre_tokenizer"] = serde_json::json!(
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false}
    );
    std::fs::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    for Probe { text, ids } in probes("head-dim-f16") {
        if text.contains("<s>") || text.contains("<unk>") || text.starts_with('▁') {
            continue;
        }
        let encoding = checkpoint.tokenizer().encode(&text, &Prefix::None).unwrap();
        let reference = gguf("head-dim-f16");
        let reference = reference.tokenizer().encode(&text, &Prefix::None).unwrap();
        // It takes a text that begins with a space to have the space it would add.
        if !text.starts_with(' ') {
            assert_eq!(encoding.ids, ids, "{text:?}");
            assert_eq!(encoding.spans, reference.spans, "{text:?}");
        }
    }
}

#[test]
fn a_tokenizer_without_bos_says_so() {
    let mut file = crate::gguf_bytes::llama();
    file.remove("tokenizer.ggml.bos_token_id");
    file.set(
        "tokenizer.ggml.bos_token_id",
        crate::gguf_bytes::Entry::U32(u32::MAX),
    );
    let checkpoint = file.open().expect("a file without bos");
    let tokenizer = checkpoint.tokenizer();
    assert!(matches!(
        tokenizer.encode("a", &Prefix::Bos),
        Err(Error::NoBos)
    ));
    let declared = tokenizer.encode("a", &Prefix::Declared).unwrap();
    assert_eq!(declared.prefix_tokens, 0);
}

/// A model of a known name with another vocabulary: a prefix that is no token there would be spelt out in letters.
#[test]
fn a_declared_prefix_is_a_token() {
    let named = |source: &str, name: &str| {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        for file in [
            "config.json",
            "model.safetensors",
            "tokenizer_config.json",
            "tokenizer.json",
        ] {
            std::fs::copy(data("tiny").join(source).join(file), folder.join(file)).unwrap();
        }
        Checkpoint::open(&folder).unwrap()
    };
    let declared = |source, name| {
        let checkpoint = named(source, name);
        let tokenizer = checkpoint.tokenizer();
        let declared = tokenizer.declared_prefix().map(str::to_owned);
        let ids = tokenizer.encode("he", &Prefix::Declared).unwrap().ids;
        (declared, ids[0], ids.len(), tokenizer.bos())
    };
    let end = folder("tied")
        .tokenizer()
        .token_id("<|endoftext|>")
        .unwrap();
    let (text, first, _, bos) = declared("tied", "SmolLM2-tiny");
    assert_eq!((text.as_deref(), first), (Some("<|endoftext|>"), end));
    assert_ne!(bos, Some(end));
    assert_eq!(declared("tied", "other").0, None);
    let (text, first, _, bos) = declared("head-dim-f16", "SmolLM2-tiny");
    assert_eq!((text, Some(first)), (None, bos));
}
