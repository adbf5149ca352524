//! What has been fetched from the hub: one receipt a commit, beside its files, says which of them are whole, and one
//! file a repository says what each form of its address stands for.
//!
//! `hf:OWNER/NAME` stands for what the repository offered when it was asked for in that form, and `hf:OWNER/NAME/FILE`
//! for that file when it was; neither moves when the other is fetched from a newer commit.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use lookback_trace::{FileStamp, write_atomic};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::files::{is_commit, parts};
use crate::store::digest::verify;
use crate::store::spec::{HubSpec, is_file_path};
use crate::store::{Error, Progress, Resolved};

/// Folder in a commit's folder where files grow.
pub(super) const PARTIAL: &str = ".partial";

const RECEIPT: &str = ".receipt.json";
const ADDRESSES: &str = "addresses.json";

/// The files of one commit that are here.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Receipt {
    /// By path inside the repository.
    pub(crate) files: BTreeMap<String, FileReceipt>,
}

/// One file that is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileReceipt {
    pub(crate) bytes: u64,
    pub(crate) sha256: Option<String>,
    /// Of the file that has this SHA-256.
    #[serde(default)]
    pub(crate) stamp: Option<FileStamp>,
}

impl Receipt {
    /// The receipt in `folder`, if there is one that can be read.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let receipt: Self = read(&folder.join(RECEIPT))?;
        receipt
            .files
            .keys()
            .all(|file| is_file_path(file))
            .then_some(receipt)
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        write(&folder.join(RECEIPT), self)
    }

    /// Bytes of `file`, if it is in `folder` and has as many as were fetched.
    pub(crate) fn bytes(&self, folder: &Path, file: &str) -> Option<u64> {
        let size = std::fs::metadata(folder.join(file)).ok()?.len();
        let receipt = self.files.get(file)?;
        (receipt.bytes == size).then_some(size)
    }

    /// What is known of `file`, if it is in `folder` and is the one that was fetched: where its stamp is not that of the receipt,
    /// its SHA-256 is taken, and one that is another file is said to be so.
    pub(super) fn checked(
        &mut self,
        folder: &Path,
        file: &str,
        progress: &dyn Progress,
    ) -> Result<Option<FileReceipt>, Error> {
        let path = folder.join(file);
        let (Some(bytes), Some(receipt)) = (self.bytes(folder, file), self.files.get_mut(file))
        else {
            return Ok(None);
        };
        let now = FileStamp::at(&path).map_err(Error::read(&path))?;
        if receipt.stamp == Some(now) {
            return Ok(Some(receipt.clone()));
        }
        let Some(sha256) = &receipt.sha256 else {
            return Ok(None);
        };
        match verify(&path, bytes, sha256, progress) {
            Ok(stamp) => {
                receipt.stamp = Some(stamp);
                let known = receipt.clone();
                // Where the cache cannot be written, it is taken again next time.
                let _ = self.write(folder);
                Ok(Some(known))
            }
            Err(Error::Checksum { found, .. }) => {
                progress.notice(&format!(
                    "{} is not what was fetched: its SHA-256 is {found}; it is not used, but fetched again",
                    path.display()
                ));
                self.files.remove(file);
                let _ = self.write(folder);
                Ok(None)
            }
            Err(Error::Size { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What the addresses of one repository stand for.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// `hf:OWNER/NAME`.
    pub(crate) unnamed: Option<Unnamed>,
    /// The commit of `hf:OWNER/NAME/FILE`, by FILE.
    pub(crate) named: BTreeMap<String, String>,
}

/// What a repository was found to be when it was asked for; in its addresses, without a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unnamed {
    pub(crate) commit: String,
    pub(crate) model: ModelFiles,
}

/// The files of a model, of either kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ModelFiles {
    /// One GGUF file, or one of the parts of one.
    File(String),
    /// These files.
    Folder(Vec<String>),
}

impl Addresses {
    /// Those of the repository in `home`; none where it was never fetched, or they cannot be read.
    pub(crate) fn read(home: &Path) -> Self {
        let found: Self = read(&home.join(ADDRESSES)).unwrap_or_default();
        let commits = found
            .named
            .values()
            .chain(found.unnamed.iter().map(|unnamed| &unnamed.commit));
        let safe = commits.into_iter().all(|commit| is_commit(commit));
        if safe { found } else { Self::default() }
    }

    /// Remembers that `file` of `commit` is what its name stands for.
    pub(super) fn name(&mut self, file: &str, commit: &str) {
        self.named.insert(file.to_owned(), commit.to_owned());
    }

    pub(super) fn write(&self, home: &Path) -> Result<(), Error> {
        write(&home.join(ADDRESSES), self)
    }
}

impl Unnamed {
    /// Bytes of the model, if all of it is in `home`.
    pub(crate) fn bytes(&self, home: &Path) -> Option<u64> {
        let folder = home.join(&self.commit);
        let receipt = Receipt::read(&folder)?;
        let files = self.files();
        let bytes = files.iter().map(|file| receipt.bytes(&folder, file));
        bytes.sum()
    }

    fn files(&self) -> Vec<String> {
        match &self.model {
            ModelFiles::File(file) => parts(file),
            ModelFiles::Folder(files) => files.clone(),
        }
    }
}

/// The model in `home`, if all of it is there and is what was fetched.
pub(super) fn find(
    spec: &HubSpec,
    home: &Path,
    progress: &dyn Progress,
) -> Result<Option<Resolved>, Error> {
    let mut addresses = Addresses::read(home);
    let unnamed = match &spec.file {
        Some(file) => addresses.named.remove(file).map(|commit| Unnamed {
            commit,
            model: ModelFiles::File(file.clone()),
        }),
        None => addresses.unnamed,
    };
    let Some(model) = unnamed else {
        return Ok(None);
    };
    let folder = home.join(&model.commit);
    let Some(mut receipt) = Receipt::read(&folder) else {
        return Ok(None);
    };
    let mut known = None;
    let files = model.files();
    for file in &files {
        known = receipt.checked(&folder, file, progress)?;
        if known.is_none() {
            return Ok(None);
        }
    }
    let (path, known) = match model.model {
        ModelFiles::File(file) => (folder.join(file), known.filter(|_| files.len() == 1)),
        ModelFiles::Folder(_) => (folder, None),
    };
    let (sha256, stamp) = known.map_or((None, None), |known| (known.sha256, known.stamp));
    Ok(Some(Resolved {
        name: spec.to_string(),
        path,
        sha256,
        stamp,
    }))
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

fn write(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string(value)
        .map_err(std::io::Error::from)
        .map_err(Error::write(path))?;
    write_atomic(path, |to| to.write_all(text.as_bytes())).map_err(Error::write(path))
}

/// Removes the broken-off files of all commits of `home` but this one: nobody will go on with them.
pub(super) fn drop_partial(home: &Path, commit: &str) -> Result<(), Error> {
    for entry in std::fs::read_dir(home).map_err(Error::read(home))? {
        let entry = entry.map_err(Error::read(home))?;
        let partial = entry.path().join(PARTIAL);
        if entry.file_name() != commit && partial.is_dir() {
            std::fs::remove_dir_all(&partial).map_err(Error::write(&partial))?;
        }
    }
    Ok(())
}
