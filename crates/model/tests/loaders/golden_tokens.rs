//! The default model's tokenizer against its own publishers'.

use lookback_model::chat::{Conversation, Message, render};
use lookback_model::checkpoint::Checkpoint;
use lookback_model::tokenizer::Prefix;
use serde_json::Value;

use crate::common::{data, default_model_path};

fn golden() -> Value {
    let file = std::fs::read(data("golden").join("golden.json")).expect("the golden values");
    serde_json::from_slice(&file).expect("golden.json is JSON")
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).expect("a list of ids")
}

#[test]
fn texts_and_probes_have_the_golden_tokens() {
    let checkpoint = Checkpoint::open(&default_model_path()).expect("the default model");
    let tokenizer = checkpoint.tokenizer();
    let golden = golden();
    let encode = |text: &str| tokenizer.encode(text, &Prefix::None).expect("any text").ids;
    for name in ["seed", "long"] {
        let text = std::fs::read_to_string(data("golden").join(format!("{name}.txt")));
        assert_eq!(encode(&text.expect("the text")), ids(&golden[name]["ids"]));
    }
    let probes = golden["tokenizer_probes"].as_object().expect("probes");
    assert!(probes.len() >= 9);
    for (text, expected) in probes {
        assert_eq!(encode(text), ids(expected), "{text:?}");
    }
}

#[test]
fn the_declared_prefix_is_not_the_files_bos() {
    let checkpoint = Checkpoint::open(&default_model_path()).expect("the default model");
    let tokenizer = checkpoint.tokenizer();
    assert_eq!(tokenizer.declared_prefix(), Some("<|endoftext|>"));
    let first = |prefix| tokenizer.encode("he", &prefix).unwrap().ids[0];
    assert_eq!(first(Prefix::Declared), 0);
    assert_eq!(first(Prefix::Bos), 1);
    assert!(!tokenizer.adds_bos());
    assert_eq!(checkpoint.stop_tokens(), [0, 2]);
}

#[test]
fn the_chat_template_gives_the_golden_prompt_and_tokens() {
    let checkpoint = Checkpoint::open(&default_model_path()).expect("the default model");
    let chat = &golden()["chat"];
    let message = Message {
        role: "user".into(),
        content: "Vatsal studies a lot, Madd does not. Yet he gets high scores in test. Who gets high scores?".into(),
    };
    let template = checkpoint.chat_template().expect("a template");
    let conversation = Conversation {
        messages: &[message],
        bos: "<|im_start|>",
        eos: "<|im_end|>",
        context_length: 8192,
    };
    let prompt = render(template, &conversation).unwrap();
    assert_eq!(prompt, chat["prompt"].as_str().unwrap());
    let encoding = checkpoint
        .tokenizer()
        .encode(&prompt, &Prefix::None)
        .unwrap();
    assert_eq!(encoding.ids, ids(&chat["ids"]));
}

#[test]
fn a_byte_without_a_token_is_named() {
    let checkpoint = Checkpoint::open(&default_model_path()).expect("the default model");
    let error = checkpoint.tokenizer().encode("a\u{4}b", &Prefix::None);
    let message = error.unwrap_err().to_string();
    assert!(message.contains("byte 0x04 at 1"), "{message}");
}
