//! Saving where it cannot be done: one error, and nothing left half-written.

use std::ops::ControlFlow;
use std::path::Path;

use lookback_trace::{Error, SaveOptions, SaveProgress};

use crate::common::{names, sound};

fn refused(path: &Path) -> String {
    match sound().save(path, &SaveOptions::default()) {
        Err(error @ Error::Write { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_such_folder() {
    let folder = tempfile::tempdir().unwrap();
    let message = refused(&folder.path().join("missing/t.safetensors"));
    assert!(
        message.contains("missing/t.safetensors") && message.contains("nothing was left"),
        "{message}"
    );
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_file_where_a_folder_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    refused(&folder.path().join("file/t.safetensors"));
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn a_folder_where_the_file_should_be() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("t/inner")).unwrap();
    refused(&folder.path().join("t"));
    assert_eq!(names(folder.path()), ["t"]);
}

#[test]
fn progress_counts_the_files_bytes_and_may_stop_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.safetensors");
    std::fs::write(&path, "before").unwrap();
    let stopped = sound().save_with(
        &path,
        &SaveOptions::default(),
        &mut |progress| match progress {
            SaveProgress::Writing { done, total } if done > total / 2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        },
    );
    assert!(
        matches!(stopped, Err(Error::Cancelled { .. })),
        "{stopped:?}"
    );
    assert_eq!(names(folder.path()), ["t.safetensors"]);
    assert_eq!(std::fs::read(&path).unwrap(), b"before");

    let mut last = (0, 0);
    let saved = sound().save_with(&path, &SaveOptions::default(), &mut |progress| {
        if let SaveProgress::Writing { done, total } = progress {
            last = (done, total);
        }
        ControlFlow::Continue(())
    });
    let bytes = saved.unwrap().bytes;
    assert_eq!(last, (bytes, bytes));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), bytes);
}

/// Permission bits do not hold the superuser back, who may run this; no one writes to `/proc`.
#[cfg(unix)]
#[test]
fn a_folder_that_is_not_writable() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let locked = folder.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o555)).unwrap();
    let superuser = std::fs::write(locked.join("probe"), "").is_ok();
    if !superuser {
        refused(&locked.join("t.safetensors"));
        assert!(names(&locked).is_empty());
    }
    if cfg!(target_os = "linux") {
        refused(Path::new("/proc/t.safetensors"));
    }
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// In a process that may write files of a few kilobytes only, saving fails half-way.
#[cfg(target_os = "linux")]
#[test]
fn no_room_left() {
    const FOLDER: &str = "LOOKBACK_TRACE_TEST_FOLDER";
    if let Some(folder) = std::env::var_os(FOLDER) {
        let path = Path::new(&folder).join("t.safetensors");
        assert!(refused(&path).contains("File too large"));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.safetensors"), "before").unwrap();
    // `ulimit -f` counts blocks of 512 or 1024 bytes, both less than the file; the signal that the kernel sends
    // with the error would end the process first.
    let child = std::process::Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 1; exec \"$0\" --exact saving::no_room_left --nocapture",
        ])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(
        child.status.success() && said.contains("1 passed"),
        "{said}"
    );
    assert_eq!(names(folder.path()), ["t.safetensors"]);
    assert_eq!(
        std::fs::read(folder.path().join("t.safetensors")).unwrap(),
        b"before"
    );
}
