//! What has been fetched from the hub whole: one receipt a commit, beside the files.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::is_commit;
use crate::store::aside;
use crate::store::spec::{HubSpec, is_file_path};
use crate::store::{Error, Resolved};

/// Folder in a commit's folder where files grow.
pub(super) const PARTIAL: &str = ".partial";

const RECEIPT: &str = ".receipt.json";
const MAIN: &str = "main";

/// The files of one commit that are here.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::store) struct Receipt {
    /// Whether all files of a folder model are among them.
    pub(in crate::store) folder: bool,
    /// By path inside the repository.
    pub(in crate::store) files: BTreeMap<String, FileReceipt>,
}

/// One file that is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct FileReceipt {
    pub(in crate::store) bytes: u64,
    pub(in crate::store) sha256: Option<String>,
}

impl Receipt {
    /// The receipt in `folder`, if there is one that can be read.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join(RECEIPT)).ok()?;
        let receipt: Self = serde_json::from_str(&text).ok()?;
        receipt
            .files
            .keys()
            .all(|file| is_file_path(file))
            .then_some(receipt)
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(RECEIPT);
        let text = serde_json::to_string(self)
            .map_err(std::io::Error::from)
            .map_err(Error::write(&path))?;
        aside::write(&path, &text)
    }

    /// Whether `file` is in `folder`, whole.
    pub(in crate::store) fn has(&self, folder: &Path, file: &str) -> bool {
        let size = std::fs::metadata(folder.join(file))
            .map(|data| data.len())
            .ok();
        self.files
            .get(file)
            .is_some_and(|receipt| Some(receipt.bytes) == size)
    }

    /// Whether all of its files are in `folder`, whole.
    pub(in crate::store) fn has_all(&self, folder: &Path) -> bool {
        self.files.keys().all(|file| self.has(folder, file))
    }

    /// The file of a model that is one file, if it was fetched without being named.
    fn only_gguf(&self) -> Option<&str> {
        let mut files = self
            .files
            .keys()
            .filter(|file| file.to_ascii_lowercase().ends_with(".gguf"));
        let first = files.next()?;
        (!self.folder && files.next().is_none()).then_some(first)
    }
}

/// The commit of `home` that was fetched last, and its receipt.
pub(in crate::store) fn fetched(home: &Path) -> Option<(String, Receipt)> {
    let commit = std::fs::read_to_string(home.join(MAIN))
        .ok()?
        .trim()
        .to_owned();
    let receipt = is_commit(&commit).then(|| Receipt::read(&home.join(&commit)))??;
    Some((commit, receipt))
}

/// The model in `home`, if all of it is there.
pub(super) fn find(spec: &HubSpec, home: &Path) -> Option<Resolved> {
    let (commit, receipt) = fetched(home)?;
    let folder = home.join(commit);
    let name = spec.to_string();
    if spec.file.is_none() && receipt.folder {
        return receipt.has_all(&folder).then_some(Resolved {
            name,
            path: folder,
            sha256: None,
        });
    }
    let file = spec.file.as_deref().or_else(|| receipt.only_gguf())?;
    let sha256 = receipt.files.get(file)?.sha256.clone();
    receipt.has(&folder, file).then(|| Resolved {
        name,
        path: folder.join(file),
        sha256,
    })
}

/// Remembers `commit` as the one that was fetched last.
pub(super) fn write_main(home: &Path, commit: &str) -> Result<(), Error> {
    aside::write(&home.join(MAIN), commit)
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
