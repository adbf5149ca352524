//! Running the program with the default model in this machine's cache.

use std::process::{Command, Stdio};
use std::sync::LazyLock;

use lookback_model::store::{self, Silent};
use serde_json::Value;

/// The sentence of the notes.
pub(crate) const SENTENCE: &str =
    "Vatsal studies a lot, Madd does not. Yet he gets high scores in test.";

/// The program with these arguments, an empty standard input, and no colour asked for or against.
pub(crate) fn lookback(arguments: &[&str]) -> Command {
    // Fetched once, before any test runs the program.
    static MODEL: LazyLock<()> = LazyLock::new(|| {
        store::default_model(&Silent).expect("the default model is in the cache or can be fetched");
    });
    LazyLock::force(&MODEL);
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookback"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE");
    command
}

/// Standard output of a run that must succeed.
#[track_caller]
pub(crate) fn ok(arguments: &[&str]) -> String {
    let output = lookback(arguments).output().expect("the program starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

/// The one JSON object that a run prints.
#[track_caller]
pub(crate) fn json(arguments: &[&str]) -> Value {
    let printed = ok(&[arguments, &["--json"]].concat());
    assert_eq!(printed.lines().count(), 1);
    serde_json::from_str(&printed).expect("one JSON object")
}

/// The one line that says why a run failed, with its exit code.
#[track_caller]
pub(crate) fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let output = lookback(arguments).output().expect("the program starts");
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).expect("it prints UTF-8");
    (output.status.code(), said)
}
