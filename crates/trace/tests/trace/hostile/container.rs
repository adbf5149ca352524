//! What is no such file, or not all of one.

use lookback_trace::{Error, SaveOptions, Trace};

use super::{reason, says};
use crate::common::sound_file;

#[test]
fn not_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Trace::open(folder.path().join("missing")).unwrap_err();
    assert!(matches!(missing, Error::Read { .. }), "{missing}");
    says(&missing.to_string(), &["could not read", "missing"]);
    let directory = Trace::open(folder.path()).unwrap_err();
    says(
        &directory.to_string(),
        &["could not read", "not a regular file"],
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    says(
        &Trace::open(&path).unwrap_err().to_string(),
        &["not a regular file"],
    );
}

#[test]
fn not_a_safetensors_file() {
    says(&reason(b""), &["0 bytes"]);
    says(&reason(b"1234567"), &["7 bytes"]);
    says(
        &reason(b"GGUF\x03\0\0\0 and so on"),
        &["announces a header of"],
    );
    says(&reason(&[0; 8]), &["header is damaged"]);
    says(
        &reason(&[&8_u64.to_le_bytes()[..], b"not json"].concat()),
        &["header is damaged"],
    );
    says(
        &reason(&[&2_u64.to_le_bytes()[..], b"\xff\xfe"].concat()),
        &["header is damaged"],
    );
    says(
        &reason(&[&2_u64.to_le_bytes()[..], b"[]"].concat()),
        &["header is damaged"],
    );
    says(
        &reason(&[&2_u64.to_le_bytes()[..], b"{}"].concat()),
        &["no `format`"],
    );
}

#[test]
fn cut_short_anywhere() {
    let file = sound_file(&SaveOptions::default());
    for len in 0..file.len() {
        let reason = reason(&file[..len]);
        assert!(len < 8 || reason.contains("cut short"), "{len}: {reason}");
    }
    says(
        &reason(&[&file[..], b"!"].concat()),
        &["cut short, or damaged"],
    );
}
