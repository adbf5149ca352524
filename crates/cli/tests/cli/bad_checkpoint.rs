//! Checkpoints that are missing, damaged or lie: one line, and no more memory than their size allows.

use std::path::Path;

use crate::program::{Run, copy, folder, limited, lookback, tiny};

/// Address space in kB that a run may take: some threads' stacks, the program and a small model.
const LIMIT: &str = "ulimit -v 1500000";

fn run(home: &Path, model: &Path) -> Run {
    let mut command = limited(home, LIMIT);
    Run::of(
        command
            .args(["generate", "a b", "--tokens", "1", "--model"])
            .arg(model),
    )
}

#[test]
fn the_limit_lets_a_sound_checkpoint_pass() {
    let home = folder();
    run(home.path(), &tiny("tied/model.gguf")).ok();
    run(home.path(), &tiny("tied")).ok();
}

#[test]
fn models_that_are_not_there() {
    let home = folder();
    for (model, words) in [
        ("no/such.gguf", &["no model", "there is no such file"][..]),
        ("smollm3", &["no model", "smollm2-135m"]),
        ("hf:owner", &["hf:OWNER/NAME"]),
        ("hf:owner/name/config.json", &["only a .gguf file"]),
    ] {
        run(home.path(), Path::new(model)).refused(words);
    }
    run(home.path(), home.path()).refused(&["config.json"]);
    run(home.path(), Path::new("/dev/null")).refused(&["/dev/null"]);
}

#[test]
fn gguf_files_that_are_cut_or_lie() {
    let home = folder();
    let file = home.path().join("m.gguf");
    let sound = std::fs::read(tiny("tied/model.gguf")).unwrap();
    let refused = |bytes: &[u8], words: &[&str]| {
        std::fs::write(&file, bytes).unwrap();
        run(home.path(), &file).refused(&[&["m.gguf"], words].concat());
    };
    for length in [0, 3, 20, 100, sound.len() / 2, sound.len() - 1] {
        refused(&sound[..length], &[]);
    }
    refused(
        b"not a model at all, but long enough for a header",
        &["GGUF"],
    );
    // The counts of tensors and of metadata stand at bytes 8 and 16.
    for at in [8, 16] {
        let mut lying = sound.clone();
        lying[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        refused(&lying, &[]);
    }
    let mut version = sound.clone();
    version[4..8].copy_from_slice(&99_u32.to_le_bytes());
    refused(&version, &["99"]);
}

#[test]
fn architectures_and_types_that_are_not_supported_are_named() {
    let home = folder();
    let mut sound = std::fs::read(tiny("tied/model.gguf")).unwrap();
    let name = b"general.architecture";
    let key = sound.windows(name.len()).position(|w| w == name).unwrap();
    // The key, the value's type (4 bytes) and its length (8 bytes), then `llama`.
    let value = key + name.len() + 12;
    assert_eq!(&sound[value..value + 5], b"llama");
    sound[value..value + 5].copy_from_slice(b"mamba");
    let file = home.path().join("m.gguf");
    std::fs::write(&file, &sound).unwrap();
    run(home.path(), &file).refused(&["mamba", "supported", "llama"]);

    let folder = copy("tied", home.path());
    edit(&folder.join("config.json"), |config| {
        config["quantization_config"] = serde_json::json!({"quant_method": "gptq"});
    });
    run(home.path(), &folder).refused(&["quantization_config"]);
}

fn edit(file: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let mut json = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    change(&mut json);
    std::fs::write(file, json.to_string()).unwrap();
}

#[test]
fn configurations_that_are_damaged_or_lie() {
    let home = folder();
    let folder = copy("tied", home.path());
    let config = folder.join("config.json");
    let sound = std::fs::read(&config).unwrap();
    std::fs::write(&config, &sound[..sound.len() / 2]).unwrap();
    run(home.path(), &folder).refused(&["config.json"]);
    for (key, value, word) in [
        ("hidden_size", serde_json::json!(1_u64 << 40), "hidden_size"),
        (
            "num_hidden_layers",
            serde_json::json!(4_000_000_000_u64),
            "at most 10000",
        ),
        (
            "num_attention_heads",
            serde_json::json!(0),
            "num_attention_heads",
        ),
        (
            "model_type",
            serde_json::json!("gpt_bigcode"),
            "gpt_bigcode",
        ),
        ("attention_bias", serde_json::json!(true), "q_proj.bias"),
    ] {
        std::fs::write(&config, &sound).unwrap();
        edit(&config, |config| config[key] = value);
        run(home.path(), &folder).refused(&[word]);
    }
}

#[test]
fn weights_that_are_cut_lie_or_are_no_numbers() {
    let home = folder();
    let folder = copy("tied", home.path());
    let file = folder.join("model.safetensors");
    let sound = std::fs::read(&file).unwrap();
    let refused = |bytes: &[u8], words: &[&str]| {
        std::fs::write(&file, bytes).unwrap();
        run(home.path(), &folder).refused(words);
    };
    for length in [0, 7, 200, sound.len() / 2, sound.len() - 1] {
        refused(&sound[..length], &["model.safetensors"]);
    }
    let mut huge = sound.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    refused(&huge, &["model.safetensors"]);
    let mut nan = sound.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    refused(&nan, &["tensor model.norm.weight", "NaN"]);
}

#[test]
fn a_missing_chat_template_is_named() {
    let home = folder();
    let folder = copy("tied", home.path());
    edit(&folder.join("tokenizer_config.json"), |config| {
        let fields = config.as_object_mut().expect("an object");
        fields.remove("chat_template").expect("there was one");
    });
    let mut command = lookback(home.path());
    command.args(["generate", "--chat", "a", "--model"]);
    Run::of(command.arg(&folder)).refused(&["no chat template", "--chat"]);
}
