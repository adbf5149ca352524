//! What the tests of the store share.

pub(crate) mod programs;
pub(crate) mod repository;
pub(crate) mod server;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lookback_model::store::{HubSettings, Progress, Settings, Stage};
use sha2::{Digest as _, Sha256};

/// Settings that reach nothing but what a test puts there.
pub(crate) fn settings(folder: &Path) -> Settings {
    Settings {
        cache: folder.join("cache"),
        known: &[],
        built_in: &[],
        search_path: OsString::new(),
        stall: Duration::from_secs(20),
        hub: HubSettings {
            endpoint: "http://127.0.0.1:9".to_owned(),
            token: None,
            shared_cache: None,
            offline: false,
            connect: Duration::from_secs(10),
        },
    }
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Bytes that look like nothing in particular and do not compress.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let step = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..length).map(step).collect()
}

/// All files and folders below `folder`, by their paths in it, in order.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path: PathBuf = entry.path();
            found.push(
                path.strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
            );
            if path.is_dir() {
                walk(&path, root, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

/// Remembers the stages, and stops once so many bytes of a stage of the kind given are done.
pub(crate) struct Watcher {
    pub(crate) stages: Mutex<Vec<(Stage, Option<u64>)>>,
    pub(crate) notices: Mutex<Vec<String>>,
    stop_in: fn(&Stage) -> bool,
    stop_at: u64,
    /// Bytes of the stage at hand, where it is of the kind to stop in.
    done: AtomicU64,
}

impl Watcher {
    pub(crate) fn new() -> Self {
        Self::stopping_in(|_| false, u64::MAX)
    }

    pub(crate) fn stopping_at(stop_at: u64) -> Self {
        Self::stopping_in(|_| true, stop_at)
    }

    pub(crate) fn stopping_in(stop_in: fn(&Stage) -> bool, stop_at: u64) -> Self {
        Self {
            stages: Mutex::default(),
            notices: Mutex::default(),
            stop_in,
            stop_at,
            done: AtomicU64::new(0),
        }
    }

    /// Whether it was told that another process or thread is waited for.
    pub(crate) fn waits(&self) -> bool {
        let stages = self.stages.lock().unwrap();
        matches!(stages[..], [.., (Stage::Waiting { .. }, None)])
    }
}

impl Progress for Watcher {
    fn begin(&self, stage: &Stage, total: Option<u64>) {
        self.stages.lock().unwrap().push((stage.clone(), total));
        self.done.store(0, Ordering::SeqCst);
    }

    fn advance(&self, done: u64) {
        let stages = self.stages.lock().unwrap();
        let counts = stages
            .last()
            .is_some_and(|(stage, _)| (self.stop_in)(stage));
        if counts {
            self.done.fetch_max(done, Ordering::SeqCst);
        }
    }

    fn finish(&self) {}

    fn notice(&self, message: &str) {
        self.notices.lock().unwrap().push(message.to_owned());
    }

    fn cancelled(&self) -> bool {
        self.done.load(Ordering::SeqCst) >= self.stop_at
    }
}

/// Waits for what another thread or process is to do, a minute at most: then it never will.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "waited in vain until {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
