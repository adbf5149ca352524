//! One process at a time fetches a model.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use lookback_trace::is_unfinished;
use tempfile::TempDir;

use super::{Error, Progress, Stage};

/// Begin of the names of folders that are not finished: whoever holds the lock may remove them.
const PARTIAL: &str = ".partial-";

/// The right to fetch into a folder, until it is dropped (or the process ends, however it ends).
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Creates `folder` if it is not there and waits until no other process fetches into it.
    ///
    /// The lock file stays: to remove it would let two processes lock two files of one name.
    pub(super) fn acquire(
        folder: &Path,
        model: &str,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::write(folder))?;
        let path = folder.join(".lock");
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Error::write(&path))?;
        let mut waiting = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => {
                    return Err(Error::Io {
                        action: "lock",
                        path,
                        source,
                    });
                }
            }
            if !waiting {
                progress.begin(
                    &Stage::Waiting {
                        model: model.to_owned(),
                    },
                    None,
                );
                waiting = true;
            }
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// A new folder in `folder`; it goes with what is in it.
    pub(super) fn partial_folder(folder: &Path) -> Result<TempDir, Error> {
        tempfile::Builder::new()
            .prefix(PARTIAL)
            .tempdir_in(folder)
            .map_err(Error::write(folder))
    }

    /// [`Lock::sweep`] where there is something to remove and no other process fetches. What cannot be removed stays.
    pub(super) fn sweep_if_free(folder: &Path) {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        if !names.any(|name| is_left_over(&name)) {
            return;
        }
        let file = File::options().append(true).open(folder.join(".lock"));
        if let Ok(file) = file
            && file.try_lock().is_ok()
        {
            let _ = Self { _file: file }.sweep(folder);
        }
    }

    /// Removes what a process that was killed left in `folder`.
    pub(super) fn sweep(&self, folder: &Path) -> Result<(), Error> {
        for entry in std::fs::read_dir(folder).map_err(Error::read(folder))? {
            let entry = entry.map_err(Error::read(folder))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !is_left_over(&name) {
                continue;
            }
            let path = entry.path();
            let is_folder = entry.file_type().map_err(Error::read(&path))?.is_dir();
            if is_folder {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            }
            .map_err(Error::write(&path))?;
        }
        Ok(())
    }
}

/// Whether a file or folder of this name is one that is there only while a model is fetched.
fn is_left_over(name: &str) -> bool {
    name.starts_with(PARTIAL) || is_unfinished(name)
}
