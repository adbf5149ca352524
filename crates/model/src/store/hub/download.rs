//! One file from the hub: resumed where it broke off, checked, and only then renamed into place.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lookback_trace::{FileStamp, sync_folder};

use super::client::{Answer, Client, Failure, plain};
use super::receipt::FileReceipt;
use crate::store::digest::{Hasher, check_digest, check_size, hash_into};
use crate::store::{Error, Progress, Stage};

/// How often in a row a file is asked for without getting further.
const MAX_ATTEMPTS: u32 = 4;

/// The most bytes of a file whose size the server does not say.
const MAX_UNSIZED: u64 = 64 << 20;

/// A file to be fetched.
pub(super) struct Download<'a> {
    pub(super) client: &'a Client<'a>,
    pub(super) url: String,
    /// What it is called in messages.
    pub(super) name: String,
    /// Where it grows.
    pub(super) partial: PathBuf,
    /// Where it goes once it is whole.
    pub(super) target: PathBuf,
}

/// The growing file.
struct Partial {
    file: File,
    hasher: Hasher,
    done: u64,
    /// Whether its first bytes come from an earlier run of the program.
    inherited: bool,
}

/// How one attempt ended.
enum Attempt {
    /// All bytes are there.
    Whole {
        total: Option<u64>,
        sha256: Option<String>,
    },
    /// It broke off.
    Cut(String),
}

impl Download<'_> {
    /// Fetches the file.
    pub(super) fn run(&self, progress: &dyn Progress) -> Result<FileReceipt, Error> {
        let mut partial = self.open(progress)?;
        // The furthest that it came: an attempt that does not pass it is fruitless.
        let (mut furthest, mut fruitless) = (partial.done, 0);
        loop {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            let reason = match self.attempt(&mut partial, progress)? {
                Attempt::Cut(reason) => reason,
                Attempt::Whole { total, sha256 } => {
                    match self.check(&partial, total, sha256.as_deref(), progress) {
                        Err(Error::Checksum { .. } | Error::Size { .. }) if partial.inherited => {
                            self.restart(&mut partial)?;
                            continue;
                        }
                        Err(error) => {
                            drop(partial);
                            std::fs::remove_file(&self.partial)
                                .map_err(Error::write(&self.partial))?;
                            return Err(error);
                        }
                        Ok(found) => return self.put_into_place(partial, found),
                    }
                }
            };
            fruitless = if partial.done > furthest {
                0
            } else {
                fruitless + 1
            };
            furthest = furthest.max(partial.done);
            if fruitless == MAX_ATTEMPTS {
                return Err(self.client.hub_error(&self.name, reason));
            }
            pause(Duration::from_millis(250) * 2_u32.pow(fruitless), progress)?;
        }
    }

    /// Opens the growing file, with what an earlier run left of it.
    fn open(&self, progress: &dyn Progress) -> Result<Partial, Error> {
        for path in [&self.partial, &self.target] {
            let folder = path.parent().unwrap_or(path);
            std::fs::create_dir_all(folder).map_err(Error::write(folder))?;
        }
        let mut options = OpenOptions::new();
        let file = options
            .create(true)
            .append(true)
            .open(&self.partial)
            .map_err(Error::write(&self.partial))?;
        let mut hasher = Hasher::default();
        let mut done = file.metadata().map_err(Error::read(&self.partial))?.len();
        if done > 0 {
            done = hash_into(&mut hasher, &self.partial, progress)?;
        }
        Ok(Partial {
            file,
            hasher,
            done,
            inherited: done > 0,
        })
    }

    /// Throws away what is there.
    fn restart(&self, partial: &mut Partial) -> Result<(), Error> {
        partial
            .file
            .set_len(0)
            .map_err(Error::write(&self.partial))?;
        (partial.hasher, partial.done, partial.inherited) = (Hasher::default(), 0, false);
        Ok(())
    }

    /// Asks for what is missing and takes in what comes.
    fn attempt(&self, partial: &mut Partial, progress: &dyn Progress) -> Result<Attempt, Error> {
        let answer = match self.client.get(&self.url, partial.done, &self.name) {
            Ok(answer) => answer,
            Err(Failure::Fatal(error)) => return Err(error),
            Err(Failure::Transient(reason)) => return Ok(Attempt::Cut(reason)),
        };
        let whole = answer.status == 416 && answer.total == Some(partial.done);
        // What cannot be checked by its digest is not pieced together from two runs.
        let doubtful = partial.inherited && answer.sha256.is_none();
        if !whole && (doubtful || answer.start != partial.done) {
            let from_the_start = answer.status == 200;
            self.restart(partial)?;
            if !from_the_start {
                return Ok(Attempt::Cut(
                    "it does not go on where it broke off".to_owned(),
                ));
            }
        }
        progress.begin(
            &Stage::Downloading {
                name: self.name.clone(),
            },
            answer.total,
        );
        if whole {
            return Ok(Attempt::Whole {
                total: answer.total,
                sha256: answer.sha256,
            });
        }
        self.receive(answer, partial, progress)
    }

    fn receive(
        &self,
        mut answer: Answer,
        partial: &mut Partial,
        progress: &dyn Progress,
    ) -> Result<Attempt, Error> {
        let limit = answer.total.unwrap_or(MAX_UNSIZED);
        let mut buffer = vec![0; 256 << 10];
        loop {
            progress.advance(partial.done);
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            let count = match answer.body.read(&mut buffer) {
                Ok(0) if answer.total.is_some_and(|total| partial.done < total) => {
                    return Ok(Attempt::Cut("it broke off".to_owned()));
                }
                Ok(0) => {
                    return Ok(Attempt::Whole {
                        total: answer.total,
                        sha256: answer.sha256,
                    });
                }
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Attempt::Cut(plain(&error))),
            };
            if partial.done + count as u64 > limit {
                self.discard();
                return Err(self
                    .client
                    .hub_error(&self.name, format!("it sends more than {limit} bytes")));
            }
            partial.file.write_all(&buffer[..count]).map_err(|error| {
                let error = Error::write(&self.partial)(error);
                if matches!(error, Error::DiskFull { .. }) {
                    self.discard();
                }
                error
            })?;
            partial.hasher.update(&buffer[..count]);
            partial.done += count as u64;
        }
    }

    /// Removes what cannot be used; where that fails, the next run replaces it.
    fn discard(&self) {
        let _ = std::fs::remove_file(&self.partial);
    }

    fn check(
        &self,
        partial: &Partial,
        total: Option<u64>,
        sha256: Option<&str>,
        progress: &dyn Progress,
    ) -> Result<FileReceipt, Error> {
        progress.advance(partial.done);
        if let Some(total) = total {
            check_size(&self.target, total, partial.done)?;
        }
        let found = partial.hasher.clone().finish();
        if let Some(expected) = sha256 {
            check_digest(&self.target, expected, found.clone())?;
        }
        Ok(FileReceipt {
            bytes: partial.done,
            sha256: Some(found),
            stamp: None,
        })
    }

    fn put_into_place(&self, partial: Partial, receipt: FileReceipt) -> Result<FileReceipt, Error> {
        partial
            .file
            .sync_all()
            .map_err(Error::write(&self.partial))?;
        drop(partial);
        rename(&self.partial, &self.target)?;
        let folder = self.target.parent().unwrap_or(&self.target);
        sync_folder(folder).map_err(Error::write(folder))?;
        let stamp = FileStamp::at(&self.target).map_err(Error::read(&self.target))?;
        Ok(FileReceipt {
            stamp: Some(stamp),
            ..receipt
        })
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    std::fs::rename(from, to).map_err(Error::write(to))
}

/// Waits, unless the caller stops.
fn pause(time: Duration, progress: &dyn Progress) -> Result<(), Error> {
    let until = Instant::now() + time;
    while Instant::now() < until {
        if progress.cancelled() {
            return Err(Error::Interrupted);
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}
