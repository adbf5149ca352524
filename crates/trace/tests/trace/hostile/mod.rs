//! Files that are damaged, or made to do harm. Each is refused with a reason; none makes the reader panic.

mod anything;
mod container;
mod metadata;
mod tensors;
mod version_2;

use lookback_trace::{Error, SaveOptions};
use serde_json::Value;

use crate::common::{open_bytes, put_together, sound_file, take_apart};

/// Why a file is refused.
fn reason(bytes: &[u8]) -> String {
    match open_bytes(bytes) {
        Err(Error::Format { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// A sound file, with this done to its header.
fn with_header(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let (mut header, data) = take_apart(&sound_file(&SaveOptions::default()));
    change(&mut header);
    put_together(&header, &data, 8)
}

/// Why a sound file is refused once this is done to its metadata.
fn with_metadata(change: impl FnOnce(&mut Value)) -> String {
    reason(&with_header(|header| change(&mut header["__metadata__"])))
}

/// Why a sound file is refused once a JSON value of its metadata is replaced.
fn with_json(key: &str, value: &Value) -> String {
    with_metadata(|metadata| metadata[key] = value.to_string().into())
}

/// Where a header's last tensor ends.
fn end_of_data(header: &Value) -> u64 {
    let tensors = header.as_object().unwrap().values();
    tensors
        .filter_map(|t| t["data_offsets"][1].as_u64())
        .max()
        .unwrap()
}

/// Asserts that a reason holds all these words.
fn says(reason: &str, words: &[&str]) {
    for word in words {
        assert!(reason.contains(word), "{reason:?} does not say {word:?}");
    }
}
