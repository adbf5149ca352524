//! The tokenizers of every family's tiny checkpoint, from both formats, against the original libraries.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{JsonOptions, Prefix, Tokenizer};
use crate::checkpoint::gguf::GgufFile;

#[path = "../../tests/common/texts.rs"]
pub(super) mod texts;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/families")
        .join(name)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn of_folder(name: &str) -> Tokenizer {
    let config = read(&folder(name).join("tokenizer_config.json"));
    let token = |key: &str| config[key].as_str().map(str::to_owned);
    let options = JsonOptions {
        bos: token("bos_token"),
        eos: token("eos_token"),
        mask: token("mask_token"),
        adds_bos: config["add_bos_token"].as_bool(),
        adds_eos: config["add_eos_token"].as_bool(),
        ..JsonOptions::default()
    };
    let json = std::fs::read_to_string(folder(name).join("tokenizer.json")).unwrap();
    Tokenizer::from_json(&json, &options).unwrap()
}

fn of_gguf(name: &str) -> Tokenizer {
    let file = GgufFile::open(&folder(name).join("model.gguf")).unwrap();
    Tokenizer::from_gguf(&file, None).unwrap()
}

/// Ids without what stands around a text, whose places in it are whole and in order.
fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    let encoding = tokenizer.encode(text, &Prefix::None).unwrap();
    assert_eq!(encoding.text, text);
    assert_eq!((encoding.prefix_tokens, encoding.suffix_tokens), (0, 0));
    assert_eq!(encoding.ids.len(), encoding.spans.len());
    let mut last = 0;
    for &(start, end) in &encoding.spans {
        assert!(
            text.get(start..end).is_some() && start >= last,
            "{text:?}: {:?}",
            encoding.spans
        );
        last = start;
    }
    encoding.ids
}

fn check_folder(name: &str) {
    let tokenizer = of_folder(name);
    texts::check(name, |text| ids(&tokenizer, text));
}

fn check_gguf(name: &str, reference: &str) {
    let tokenizer = of_gguf(name);
    texts::check(reference, |text| ids(&tokenizer, text));
}

#[test]
fn gpt2() {
    check_folder("gpt2-tied");
    check_gguf("gpt2-tied", "gpt2-tied");
}

#[test]
fn gpt_neox() {
    check_folder("neox-parallel");
    check_gguf("neox-parallel", "neox-parallel");
}

#[test]
fn llama3() {
    check_folder("llama-biases");
    check_gguf("llama-biases", "llama-biases");
}

#[test]
fn qwen2() {
    check_folder("qwen2-tied");
    check_gguf("qwen2-tied", "qwen2-tied");
}

#[test]
fn mistral() {
    check_folder("mistral-wide");
    check_gguf("mistral-wide", "mistral-wide.pieces");
}

#[test]
fn gemma() {
    check_folder("gemma3-pattern");
    check_gguf("gemma3-pattern", "gemma3-pattern.pieces");
}

#[test]
fn bert() {
    check_folder("bert-masked-lm");
    check_gguf("bert-masked-lm", "bert-masked-lm");
    check_folder("bert-cased-untied");
}

/// As bert-base-uncased and roberta-base were published: without the model's type.
#[test]
fn files_from_before_models_had_types() {
    for name in ["bert-masked-lm", "roberta-masked-lm"] {
        let mut json = read(&folder(name).join("tokenizer.json"));
        json["model"]
            .as_object_mut()
            .unwrap()
            .remove("type")
            .unwrap();
        let tokenizer = Tokenizer::from_json(&json.to_string(), &JsonOptions::default()).unwrap();
        texts::check(name, |text| ids(&tokenizer, text));
    }
}

#[test]
fn roberta() {
    check_folder("roberta-masked-lm");
}

/// Every family's text, with the tokens that stand around it in training.
#[test]
fn tokens_around_a_text_are_those_of_training() {
    let mut families = 0;
    for entry in std::fs::read_dir(folder("")).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        families += 1;
        let name = path.file_name().unwrap().to_str().unwrap();
        let expected = read(&path.join("expected.json"));
        let text = expected["text"].as_str().unwrap();
        let mut tokenizers = vec![of_folder(name)];
        if path.join("model.gguf").exists() {
            tokenizers.push(of_gguf(name));
        }
        for tokenizer in tokenizers {
            // What is put before a text by default is a bos token even where the model's tokenizer puts none.
            let prefix = if expected["prefix_tokens"] == 0 {
                Prefix::None
            } else {
                Prefix::Declared
            };
            let encoding = tokenizer.encode(text, &prefix).unwrap();
            assert_eq!(serde_json::json!(encoding.ids), expected["ids"], "{name}");
            assert_eq!(expected["prefix_tokens"], encoding.prefix_tokens, "{name}");
            assert_eq!(expected["suffix_tokens"], encoding.suffix_tokens, "{name}");
            let around =
                (0..encoding.ids.len()).filter(|token| !encoding.text_tokens().contains(token));
            for token in around {
                let (start, end) = encoding.spans[token];
                assert_eq!(start, end, "{name}, token {token}");
            }
        }
    }
    assert!(families >= 33);
}

#[test]
fn a_text_that_spells_out_what_stands_around_it_has_it_once() {
    for tokenizer in [of_folder("bert-masked-lm"), of_gguf("bert-masked-lm")] {
        let encode = |text: &str| tokenizer.encode(text, &Prefix::Declared).unwrap();
        let plain = encode("the tide");
        let pasted = encode("[CLS]the tide[SEP]");
        assert!(pasted.prefix_was_in_text && !plain.prefix_was_in_text);
        assert_eq!(
            (&pasted.ids, &pasted.spans, &*pasted.text),
            (&plain.ids, &plain.spans, "the tide")
        );
        assert_eq!(tokenizer.prefix_texts(&pasted), ["[CLS]"]);
        assert_eq!(tokenizer.suffix_texts(&pasted), ["[SEP]"]);
        // Only at the end, and only as a special token.
        assert_eq!(encode("[SEP] a").suffix_tokens, 1);
        assert_eq!(encode("[SEP] a").ids.len(), 4);
        assert_eq!(encode("").ids.len(), 2);
        assert_eq!(encode("[CLS][SEP]").ids, encode("").ids);
        assert_eq!(tokenizer.mask(), tokenizer.token_id("[MASK]"));
        let bos = tokenizer.encode("the tide", &Prefix::Bos).unwrap();
        assert_eq!(bos.ids, plain.ids);
        let own = tokenizer
            .encode("the tide", &Prefix::Text("[MASK]".into()))
            .unwrap();
        assert_eq!(
            (own.ids[0], own.suffix_tokens),
            (tokenizer.mask().unwrap(), 1)
        );
    }
}

#[test]
fn word_pieces_have_the_spaces_before_them() {
    for tokenizer in [of_folder("bert-masked-lm"), of_gguf("bert-masked-lm")] {
        let spans = |text: &str| tokenizer.encode(text, &Prefix::None).unwrap().spans;
        assert_eq!(spans("the  the"), [(0, 3), (3, 8)]);
        assert_eq!(spans(" the the \n"), [(0, 4), (4, 10)]);
        // An accent and a control character belong to the letter before them.
        assert_eq!(spans("a\u{301}\u{7} a"), [(0, 4), (4, 6)]);
        assert_eq!(spans("日本"), [(0, 3), (3, 6)]);
        assert_eq!(spans(" "), []);
        let text = "The keeper, and the tide.";
        let encoding = tokenizer.encode(text, &Prefix::None).unwrap();
        assert_eq!(tokenizer.decode(&encoding.ids, false), text.to_lowercase());
        let parts: String = encoding
            .spans
            .iter()
            .map(|&(start, end)| &text[start..end])
            .collect();
        assert_eq!(parts, text);
    }
}
