//! Folders whose files are missing, damaged or lie.

use std::path::Path;

use lookback_model::checkpoint::Checkpoint;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::data;

/// A copy of a tiny checkpoint's folder, without its GGUF file.
fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = std::fs::read_dir(data("tiny").join(name)).expect("the tiny checkpoint");
    for file in files {
        let path = file.expect("an entry").path();
        if path.extension().is_none_or(|ending| ending != "gguf") {
            let target = folder.path().join(path.file_name().expect("a name"));
            std::fs::copy(&path, target).expect("room for a copy");
        }
    }
    folder
}

fn refusal(folder: &TempDir) -> String {
    match Checkpoint::open(folder.path()) {
        Ok(_) => panic!("the folder was taken to be good"),
        Err(error) => {
            let message = error.to_string();
            assert!(!message.contains('\n'), "{message}");
            message
        }
    }
}

fn edit_json(path: &Path, change: impl FnOnce(&mut Value)) {
    let text = std::fs::read_to_string(path).expect("a JSON file");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    change(&mut value);
    std::fs::write(path, serde_json::to_string(&value).expect("JSON")).expect("room");
}

#[test]
fn missing_files_are_named() {
    for (file, expected) in [
        ("config.json", "has no config.json"),
        (
            "model.safetensors",
            "has no model.safetensors, and no model.safetensors.index.json",
        ),
        ("tokenizer.json", "has no tokenizer.json"),
    ] {
        let folder = copy("tied");
        std::fs::remove_file(folder.path().join(file)).unwrap();
        let message = refusal(&folder);
        assert!(message.contains(expected), "{message}");
    }
    let folder = copy("tied");
    std::fs::rename(
        folder.path().join("model.safetensors"),
        folder.path().join("pytorch_model.bin"),
    )
    .unwrap();
    assert!(refusal(&folder).contains("pytorch_model.bin: it is no zip archive"));
    let gguf = tempfile::tempdir().unwrap();
    std::fs::write(gguf.path().join("model.gguf"), b"").unwrap();
    assert!(refusal(&gguf).contains("model.gguf: give that file"));
    // What is not needed may be missing.
    let folder = copy("tied");
    std::fs::remove_file(folder.path().join("tokenizer_config.json")).unwrap();
    let checkpoint = Checkpoint::open(folder.path()).expect("enough files");
    // config.json has the ids of the tokens around a text.
    let tokenizer = checkpoint.tokenizer();
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(2)));
}

#[test]
fn files_that_are_not_json_are_named() {
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        for content in ["", "{", "[1, 2]", "{\"a\": 1e999}", "\u{0}", "null"] {
            let folder = copy("tied");
            std::fs::write(folder.path().join(file), content).unwrap();
            // A tokenizer_config.json that is JSON but says nothing changes nothing.
            if file != "tokenizer_config.json" || serde_json::from_str::<Value>(content).is_err() {
                let message = refusal(&folder);
                assert!(message.contains(file), "{message}");
            }
        }
        let folder = copy("tied");
        let path = folder.path().join(file);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(refusal(&folder).contains("not a regular file"));
        let folder = copy("tied");
        std::fs::write(folder.path().join(file), [b'"', 0xff, b'"']).unwrap();
        assert!(refusal(&folder).contains(file));
    }
}

/// Nested so deep that a parser without a limit would run out of stack.
#[test]
fn deep_json_is_refused() {
    for file in ["config.json", "tokenizer.json"] {
        let folder = copy("tied");
        std::fs::write(folder.path().join(file), "[".repeat(1_000_000)).unwrap();
        assert!(refusal(&folder).contains(file));
    }
}

#[test]
fn enormous_text_files_are_not_read() {
    let folder = copy("tied");
    let file = std::fs::File::create(folder.path().join("config.json")).unwrap();
    // Sparse: it takes no room on the disk.
    file.set_len(1 << 40).unwrap();
    let message = refusal(&folder);
    assert!(
        message.contains("1099511627776 bytes; more than"),
        "{message}"
    );
}

/// A safetensors file with this header and this many bytes of data.
fn write_safetensors(folder: &TempDir, header: &Value, data: usize) {
    let header = header.to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    std::fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
}

#[test]
fn truncated_safetensors_are_refused() {
    let folder = copy("tied");
    let path = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    for length in (0..bytes.len())
        .step_by(37)
        .chain([7, 8, 9, bytes.len() - 1])
    {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(refusal(&folder).contains("model.safetensors is no valid"));
    }
    let longer = [&bytes[..], b"x"].concat();
    std::fs::write(&path, longer).unwrap();
    assert!(refusal(&folder).contains("model.safetensors is no valid"));
}

#[test]
fn lying_safetensors_are_refused() {
    let folder = copy("tied");
    for length in [u64::MAX, 1 << 62, 1 << 30, 0] {
        let path = folder.path().join("model.safetensors");
        std::fs::write(&path, [&length.to_le_bytes()[..], b"{}"].concat()).unwrap();
        assert!(refusal(&folder).contains("no valid safetensors"));
    }
    let tensor = |dtype: &str, shape: Value, offsets: Value| json!({"model.norm.weight": {"dtype": dtype, "shape": shape, "data_offsets": offsets}});
    let lies = [
        tensor("F32", json!([16]), json!([0, 1_u64 << 40])),
        tensor("F32", json!([16]), json!([64, 0])),
        tensor("F32", json!([16]), json!([4, 68])),
        tensor("F32", json!([17]), json!([0, 64])),
        tensor("F32", json!([u64::MAX, u64::MAX]), json!([0, 64])),
        tensor("F32", json!([0]), json!([0, 0])),
        tensor("F32", json!([]), json!([0, 4])),
        tensor("F99", json!([16]), json!([0, 64])),
        tensor("F32", json!([-1]), json!([0, 64])),
        json!([]),
        json!({"a": 5}),
    ];
    for lie in lies {
        write_safetensors(&folder, &lie, 64);
        let message = refusal(&folder);
        assert!(message.contains("no valid safetensors"), "{lie}: {message}");
    }
}

#[test]
fn types_that_are_no_floats_are_named() {
    let folder = copy("tied");
    for (dtype, bytes) in [("I64", 128), ("F64", 128), ("I8", 16), ("F8_E4M3", 16)] {
        let header = json!({"model.norm.weight": {"dtype": dtype, "shape": [16], "data_offsets": [0, bytes]}});
        write_safetensors(&folder, &header, bytes);
        let message = refusal(&folder);
        assert!(
            message.contains("model.norm.weight is of type"),
            "{message}"
        );
        assert!(message.contains("F32, F16, BF16"), "{message}");
    }
}

#[test]
fn unexpected_and_missing_tensors_are_named() {
    let folder = copy("tied");
    let header =
        json!({"model.norm.weight": {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]}});
    write_safetensors(&folder, &header, 64);
    assert!(refusal(&folder).contains("no tensor model.embed_tokens.weight"));
    let folder = copy("tied");
    let path = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let end = bytes.len() - 8 - length;
    header["model.layers.0.self_attn.q_proj.bias"] =
        json!({"dtype": "F32", "shape": [16], "data_offsets": [end, end + 64]});
    let text = header.to_string();
    let mut changed = (text.len() as u64).to_le_bytes().to_vec();
    changed.extend(text.as_bytes());
    changed.extend(&bytes[8 + length..]);
    changed.extend([0; 64]);
    std::fs::write(&path, changed).unwrap();
    assert!(refusal(&folder).contains("q_proj.bias, which the llama model"));
}

#[test]
fn nan_weights_are_refused_by_name() {
    for (name, width, nan) in [
        ("tied", 4, &f32::NAN.to_le_bytes()[..]),
        ("head-dim-f16", 2, &[0x00, 0x7e]),
        ("untied-bf16", 2, &[0xc0, 0x7f]),
    ] {
        let folder = copy(name);
        let path = folder.path().join("model.safetensors");
        let mut bytes = std::fs::read(&path).unwrap();
        let end = bytes.len();
        bytes[end - width..].copy_from_slice(nan);
        std::fs::write(&path, bytes).unwrap();
        let checkpoint = Checkpoint::open(folder.path()).expect("the header is good");
        // The last tensor of these files, in the order of their names.
        let error = checkpoint.tensor_f32("model.norm.weight").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("model.norm.weight holds NaN at entry 15"),
            "{error}"
        );
    }
}

#[test]
fn indices_may_not_lead_astray() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 6] = [
        (
            |index| index["weight_map"]["model.norm.weight"] = json!("../other.safetensors"),
            "not the name of a file beside it",
        ),
        (
            |index| index["weight_map"]["model.norm.weight"] = json!("/etc/passwd"),
            "not the name of a file beside it",
        ),
        (
            |index| index["weight_map"]["model.norm.weight"] = json!(".."),
            "not the name of a file beside it",
        ),
        (
            |index| index["weight_map"]["model.norm.weight"] = json!(7),
            "not a text",
        ),
        (
            |index| {
                index["weight_map"]["model.norm.weight"] = json!("model-00009-of-00009.safetensors")
            },
            "model-00009-of-00009.safetensors",
        ),
        (
            |index| *index = json!({"metadata": {}}),
            "has no weight_map",
        ),
    ];
    for (change, expected) in cases {
        let folder = copy("sharded");
        edit_json(&folder.path().join("model.safetensors.index.json"), change);
        let message = refusal(&folder);
        assert!(message.contains(expected), "{message}");
    }
    let folder = copy("sharded");
    std::fs::remove_file(folder.path().join("model-00002-of-00003.safetensors")).unwrap();
    let message = refusal(&folder);
    assert!(
        message.contains("cannot read") && message.contains("model-00002-of-00003"),
        "{message}"
    );
}

/// The library would take the last of two tensors with one name, which the format forbids.
#[test]
fn a_name_that_stands_twice_in_a_header_is_refused() {
    let folder = copy("tied");
    let path = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length])
        .unwrap()
        .trim_end();
    let norm = "\"model.norm.weight\":";
    let start = header.find(norm).expect("every model has this tensor");
    let entry = &header[start..start + header[start..].find('}').unwrap() + 1];
    let long = "x".repeat(200_000);
    let long = entry.replace("model.norm.weight", &long);
    for (entry_twice, name) in [
        (format!("{entry},{entry}"), "model.norm.weight"),
        (format!("{long},{long}"), "xxx"),
    ] {
        let header = header.replace(entry, &entry_twice);
        let mut changed = (header.len() as u64).to_le_bytes().to_vec();
        changed.extend(header.bytes());
        changed.extend(&bytes[8 + length..]);
        std::fs::write(&path, changed).unwrap();
        let message = refusal(&folder);
        assert!(message.len() < 1000, "{} bytes", message.len());
        assert!(message.contains("stands in its header twice"), "{message}");
        assert!(message.contains(name), "{message}");
    }
    std::fs::write(&path, &bytes).unwrap();
    Checkpoint::open(folder.path()).expect("the file as it was");
}
