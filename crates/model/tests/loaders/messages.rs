//! Names and values of files in messages: on one line, of bounded length, and without power over a terminal.

use std::path::Path;

use lookback_model::checkpoint::Checkpoint;
use serde_json::{Value, json};

use crate::common::data;
use crate::gguf_bytes::{Entry, llama};

/// A name as nobody should see it in a terminal.
fn nasty() -> String {
    format!("evil\n\u{1b}[2J\u{202e}{}", "x".repeat(1_000_000))
}

fn assert_harmless(message: &str) {
    let start: String = message.chars().take(2000).collect();
    assert!(message.chars().count() < 1500, "{start}");
    assert!(
        !message.contains(|c: char| c.is_control() || c == '\u{202e}'),
        "{start:?}"
    );
    assert!(message.contains("evil"), "{start}");
}

/// What opening a copy of the folder `tied` says, with one of its JSON files changed.
fn refusal(file: &str, change: impl FnOnce(&mut Value)) -> String {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(data("tiny").join("tied")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let path = folder.path().join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
    let mut value: Value = serde_json::from_str(&text).unwrap();
    change(&mut value);
    std::fs::write(&path, value.to_string()).unwrap();
    opened(folder.path())
}

fn opened(path: &Path) -> String {
    Checkpoint::open(path).err().expect("a refusal").to_string()
}

#[test]
fn of_a_configuration() {
    let (name, object) = (nasty(), |key: &str| json!({ key: 1 }));
    for (key, value) in [
        ("model_type", json!(name)),
        ("architectures", json!([name])),
        ("hidden_act", json!(name)),
        ("hidden_size", json!(name)),
        ("rope_parameters", object(&name)),
        ("rope_parameters", json!({ "rope_type": name })),
        ("layer_types", json!([name])),
        (&name, json!(true)),
    ] {
        assert_harmless(&refusal("config.json", |json| json[key] = value));
    }
}

#[test]
fn of_a_tokenizer() {
    let name = nasty();
    assert_harmless(&refusal("tokenizer.json", |json| {
        json["model"]["type"] = json!(name)
    }));
    assert_harmless(&refusal("tokenizer.json", |json| {
        json["decoder"]["type"] = json!(name)
    }));
    assert_harmless(&refusal("tokenizer.json", |json| {
        json["normalizer"] = json!({"type": name})
    }));
    assert_harmless(&refusal("tokenizer.json", |json| {
        json["pre_tokenizer"] = json!({"type": name})
    }));
    assert_harmless(&refusal("tokenizer.json", |json| {
        json["model"]["dropout"] = json!(name)
    }));
    let merge = |value: Value| {
        refusal("tokenizer.json", |json| {
            json["model"]["merges"].as_array_mut().unwrap().push(value);
        })
    };
    assert_harmless(&merge(json!([name, "a"])));
    assert_harmless(&merge(json!(name)));
}

#[test]
fn of_an_index() {
    let name = nasty();
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(
            data("tiny").join("tied").join(file),
            folder.path().join(file),
        )
        .unwrap();
    }
    let index = folder.path().join("model.safetensors.index.json");
    for map in [
        json!({ &name: 5 }),
        json!({ "a": name }),
        json!({ &name: "../x" }),
    ] {
        std::fs::write(&index, json!({ "weight_map": map }).to_string()).unwrap();
        assert_harmless(&opened(folder.path()));
    }
    // What the index names and the shard does not hold is a note.
    let one = data("tiny").join("tied/model.safetensors");
    std::fs::copy(one, folder.path().join("m.safetensors")).unwrap();
    let map = json!({ &name: "m.safetensors" });
    std::fs::write(&index, json!({ "weight_map": map }).to_string()).unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_harmless(&checkpoint.notes().join(" "));
}

/// A safetensors file with one tensor.
fn safetensors(name: &str, dtype: &str, shape: &[usize], bytes: usize) -> Vec<u8> {
    let header = json!({ name: {"dtype": dtype, "shape": shape, "data_offsets": [0, bytes]} });
    let header = header.to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.resize(file.len() + bytes, 0);
    file
}

#[test]
fn of_tensors() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(
            data("tiny").join("tied").join(file),
            folder.path().join(file),
        )
        .unwrap();
    }
    for (dtype, shape) in [("I64", &[1][..]), ("F32", &[0]), ("WRONG", &[1])] {
        let bytes = shape[0] * if dtype == "I64" { 8 } else { 4 };
        let file = safetensors(&nasty(), dtype, shape, bytes);
        std::fs::write(folder.path().join("model.safetensors"), file).unwrap();
        let message = opened(folder.path());
        // What the library makes of an unknown type does not name the tensor.
        assert_harmless(&message.replace("WRONG", "evil"));
    }
    let mut shape = vec![1; 100_000];
    shape[0] = 2;
    let file = safetensors("model.norm.weight", "F32", &shape, 8);
    std::fs::write(folder.path().join("model.safetensors"), file).unwrap();
    let message = opened(folder.path());
    assert!(message.len() < 1000, "{}", message.len());
}

#[test]
fn of_gguf_keys_and_values() {
    let name: &'static str = nasty().leak();
    let mut file = llama();
    file.set("general.architecture", Entry::Text(name));
    assert_harmless(&file.refusal());
    let mut file = llama();
    file.set("tokenizer.ggml.model", Entry::Text(name));
    assert_harmless(&file.refusal());
    let mut file = llama();
    let key: &'static str = format!("llama.{name}").leak();
    file.set(key, Entry::U32(1));
    assert_harmless(&file.refusal());
    let mut file = llama();
    file.set("tokenizer.ggml.model", Entry::Text("gpt2"));
    file.set("tokenizer.ggml.pre", Entry::Text(name));
    assert_harmless(&file.refusal());
}
