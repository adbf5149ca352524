//! Texts that cannot be read.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::program::{Run, folder, lookback, tiny};

/// Every command that reads a text, as far as the text.
const READERS: [&[&str]; 2] = [&["generate"], &["trace", "-o", "out.safetensors"]];

#[test]
fn nothing_and_what_is_no_utf8() {
    let home = folder();
    for reader in READERS {
        let run = |text: &OsStr| {
            Run::of(
                lookback(home.path())
                    .current_dir(home.path())
                    .args(reader)
                    .arg("--model")
                    .arg(tiny("tied/model.gguf"))
                    .arg(text),
            )
        };
        run(OsStr::new("")).refused(&["the text is empty"]);
        run(OsStr::from_bytes(b"na\xefve")).refused(&["not UTF-8", "byte 2", "0xef"]);
        run(OsStr::new("-")).refused(&["standard input is empty"]);
    }
    assert!(!home.path().join("out.safetensors").exists());
}

#[test]
fn files_that_are_not_there_or_no_text() {
    let home = folder();
    let file = home.path().join("x.txt");
    let run = || {
        Run::of(
            lookback(home.path())
                .args(["generate", "--model"])
                .arg(tiny("tied/model.gguf"))
                .arg("--file")
                .arg(&file),
        )
    };
    run().refused(&["cannot read", "x.txt"]);
    std::fs::write(&file, b"a\xff").unwrap();
    run().refused(&["x.txt is not UTF-8", "byte 1"]);
    std::fs::write(&file, "\n").unwrap();
    run().refused(&["x.txt is empty"]);
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    run().refused(&["cannot read", "x.txt"]);
}

#[test]
fn a_text_that_is_too_long_is_told_by_how_much_and_can_be_cut() {
    let home = folder();
    let out = home.path().join("t.safetensors");
    let text = "a b c d e f g h ".repeat(4000);
    let file = home.path().join("long.txt");
    std::fs::write(&file, text).unwrap();
    let trace = |more: &[&str]| {
        Run::of(
            lookback(home.path())
                .args(["trace", "--json", "--model"])
                .arg(tiny("tied"))
                .arg("--file")
                .arg(&file)
                .arg("-o")
                .arg(&out)
                .args(more),
        )
    };
    trace(&[]).refused(&["tokens", "more than the", "--truncate"]);
    assert!(!out.exists());
    let cut = trace(&["--truncate"]);
    assert!(
        cut.stderr.starts_with("note: the text is cut"),
        "{}",
        cut.stderr
    );
    let summary = cut.json();
    let config = std::fs::read(tiny("tied/config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(summary["tokens"], config["max_position_embeddings"]);
}

#[test]
fn wrong_usage_ends_with_2() {
    let home = folder();
    for arguments in [
        &["generate"][..],
        &["generate", "a", "--tokens", "many"],
        &["generate", "a", "--weights", "f8"],
        &["generate", "a", "--system", "b"],
        &["generate", "a", "--chat", "--truncate"],
        &["trace", "a"],
        &["trace", "a", "-o", "b", "--dtype", "f64"],
        &["bench", "model", "--lengths", "1,x"],
    ] {
        let run = Run::of(lookback(home.path()).args(arguments));
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    for (arguments, words) in [
        (&["--temperature", "-1"], "temperature is -1"),
        (&["--temperature", "nan"], "temperature is NaN"),
        (&["--top-p", "0"], "top_p is 0"),
    ] {
        let mut command = lookback(home.path());
        command.args(["generate", "a", "--model"]).arg(tiny("tied"));
        Run::of(command.args(arguments)).refused(&[words]);
    }
}

/// A name of any length is repeated in part only, wherever it is given.
#[test]
fn endless_names_are_not_repeated_whole() {
    let home = folder();
    let model = tiny("tied");
    let model = model.to_str().unwrap();
    let long = "n".repeat(100_000);
    let cut = format!("{long}->b@all");
    let commands: [&[&str]; 12] = [
        &["look", "a b", "--model", &long],
        &["look", "a b", "--model", &format!("hf:{long}")],
        &["look", "--trace", &long],
        &["look", "--file", &long],
        &["look", "a b", "--model", model, "--word", &long],
        &["look", "a b", "--model", model, "--candidates", &long],
        &["look", "a b", "--model", model, "--head", &long],
        &["look", "a b", "--model", model, "--ablate", &long],
        &["look", "a b", "--model", model, "--cut", &cut],
        &["heads", "a b", "--model", model, "--sort", &long],
        &["map", "a b", "--model", model, "--output", &long],
        &["trace", "a b", "--model", model, "--dtype", &long],
    ];
    for arguments in commands {
        let run = Run::of(lookback(home.path()).args(arguments));
        assert!(matches!(run.code, Some(1 | 2)), "{arguments:.20?}");
        let said = run.stdout.len() + run.stderr.len();
        assert!((20..6000).contains(&said), "{said} bytes: {arguments:.60?}");
    }
}
