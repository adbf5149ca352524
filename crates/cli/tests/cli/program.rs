//! Running the program, away from the network and from this machine's own cache.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A small checkpoint of the model crate's test data.
pub(crate) fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../model/tests/data/tiny")
        .join(name)
}

/// A folder of a test's own.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// The program with a cache in `home`. Whatever it might fetch is refused at once: nobody listens on port 9.
pub(crate) fn lookback(home: &Path) -> Command {
    isolate(Command::new(env!("CARGO_BIN_EXE_lookback")), home)
}

/// The program under limits that the shell sets by `limits`.
pub(crate) fn limited(home: &Path, limits: &str) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{limits}; exec \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_lookback"));
    isolate(shell, home)
}

fn isolate(mut command: Command, home: &Path) -> Command {
    command
        .stdin(Stdio::null())
        .env("LOOKBACK_CACHE", home.join("cache"))
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .env("HF_HUB_CACHE", home.join("hub"))
        .env_remove("HF_HUB_OFFLINE")
        .env_remove("LOOKBACK_INSTRUCTION_SET")
        .env("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        .env("PIP_FIND_LINKS", "")
        .env("PIP_EXTRA_INDEX_URL", "")
        .env("PIP_RETRIES", "0")
        .env("UV_INDEX_URL", "http://127.0.0.1:9/simple")
        .env("UV_HTTP_RETRIES", "0")
        .env("NO_COLOR", "1");
    command
}

/// What a run of the program gave.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output: Output = command.output().expect("the program can be started");
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("it prints UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("it prints UTF-8"),
        }
    }

    /// Standard output of a run that must succeed.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// Its standard output as JSON.
    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.ok()).expect("one JSON object")
    }

    /// The one line that says why it failed, which holds all of `words`.
    #[track_caller]
    pub(crate) fn refused(self, words: &[&str]) -> String {
        let Self {
            code,
            stdout,
            stderr,
        } = self;
        assert_eq!(code, Some(1), "{stdout}{stderr}");
        assert_eq!(stdout, "");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("error: "), "{stderr}");
        for word in words {
            assert!(stderr.contains(word), "{word:?} is not in: {stderr}");
        }
        stderr
    }
}

/// Copies the files of a checkpoint's folder, for a test to change.
pub(crate) fn copy(name: &str, to: &Path) -> PathBuf {
    let target = to.join(name);
    std::fs::create_dir(&target).expect("a new folder");
    for entry in std::fs::read_dir(tiny(name)).expect("the test data is there") {
        let path = entry.expect("a file").path();
        if path.extension().is_none_or(|ending| ending != "gguf") {
            let file = path.file_name().expect("it has a name");
            std::fs::copy(&path, target.join(file)).expect("it can be copied");
        }
    }
    target
}
