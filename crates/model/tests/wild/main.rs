//! Checkpoints as they are met in the wild: adapters, PyTorch's files, files in parts, keys that nobody knows. The data is made
//! by `scripts/make_wild_checkpoints.py`.

#![allow(clippy::print_stdout, reason = "what is measured is printed")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../loaders/gguf_bytes.rs"]
#[allow(dead_code, reason = "the loaders use the rest")]
mod gguf_bytes;

mod adapters;
mod gguf_files;
mod keys;
mod parts;
mod pickled;
mod shards;

use std::path::Path;

use lookback_model::checkpoint::{Checkpoint, OpenOptions};
use serde_json::Value;
use tempfile::TempDir;

/// A copy of a folder of the test data, without GGUF files.
fn copy(source: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for entry in std::fs::read_dir(source).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() && path.extension().is_none_or(|ending| ending != "gguf") {
            let target = folder.path().join(path.file_name().expect("a name"));
            std::fs::copy(&path, target).expect("room for a copy");
        }
    }
    folder
}

fn edit_json(path: &Path, change: impl FnOnce(&mut Value)) {
    let text = std::fs::read_to_string(path).expect("a JSON file");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    change(&mut value);
    std::fs::write(path, value.to_string()).expect("room");
}

/// The message with which a checkpoint is refused.
fn refusal(path: &Path, options: &OpenOptions) -> String {
    match Checkpoint::open_with(path, options) {
        Ok(_) => panic!("{} was taken to be good", path.display()),
        Err(error) => {
            let message = error.to_string();
            assert!(!message.contains('\n') && message.len() < 4000, "{message}");
            message
        }
    }
}
