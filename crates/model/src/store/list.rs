//! What is on this machine already.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::hub::{self, Addresses, ModelFiles, Receipt};
use super::package::Place;
use super::{DEFAULT_MODEL, Error, Settings};

/// Where a model's files lie, or would lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A model known by its short name, in this program's cache.
    Known,
    /// Built into the program: no file.
    BuiltIn,
    /// Fetched from the Hugging Face hub into this program's cache.
    Hub,
    /// In the cache that Hugging Face's own tools share.
    SharedHubCache,
}

/// A model that can be named, and whether it is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What to write after `--model`.
    pub name: String,
    /// Whether it is used where no model is given.
    pub default: bool,
    /// Whether it can be used without fetching anything.
    pub ready: bool,
    /// Where its file or folder lies, or will lie; of a built-in model its address.
    pub path: PathBuf,
    /// Bytes of its files on disk; of one not fetched yet, how many there will be.
    pub bytes: u64,
    /// Whose cache it lies in.
    pub origin: Origin,
    /// What it is, where that is known.
    pub title: Option<&'static str>,
    /// SPDX identifier of its licence, where that is known.
    pub license: Option<&'static str>,
}

impl Entry {
    fn on_hub(name: &str, path: PathBuf, bytes: u64, origin: Origin) -> Self {
        let name = format!("hf:{name}");
        Self {
            name,
            default: false,
            ready: true,
            path,
            bytes,
            origin,
            title: None,
            license: None,
        }
    }
}

/// Known models first, then the hub's, each by name.
pub(super) fn list(settings: &Settings) -> Result<Vec<Entry>, Error> {
    let mut entries: Vec<_> = settings
        .known
        .iter()
        .map(|model| {
            let place = Place::new(model, settings);
            Entry {
                name: model.name.to_owned(),
                default: model.name == DEFAULT_MODEL,
                ready: place.is_here(),
                path: place.file(),
                bytes: model.bytes,
                origin: Origin::Known,
                title: Some(model.title),
                license: Some(model.license),
            }
        })
        .collect();
    entries.extend(settings.built_in.iter().map(|model| Entry {
        name: model.name.to_owned(),
        default: false,
        ready: true,
        path: model.address(),
        bytes: model.bytes.len() as u64,
        origin: Origin::BuiltIn,
        title: Some(model.title),
        license: Some(model.license),
    }));
    let own = settings.cache.join("hub");
    for owner in folders(&own)? {
        for home in folders(&owner)? {
            if let (Some(owner), Some(name)) = (owner.file_name(), home.file_name()) {
                let repository = format!("{}/{}", owner.to_string_lossy(), name.to_string_lossy());
                entries.extend(fetched(&repository, &home));
            }
        }
    }
    for (name, path) in settings
        .hub
        .shared_cache
        .iter()
        .flat_map(|cache| hub::shared_models(cache))
    {
        let bytes = size(&path, 2);
        entries.push(Entry::on_hub(&name, path, bytes, Origin::SharedHubCache));
    }
    Ok(entries)
}

/// The folder model and the GGUF files of one repository in this program's cache.
fn fetched(repository: &str, home: &Path) -> Vec<Entry> {
    let addresses = Addresses::read(home);
    let folder_model = addresses.unnamed.and_then(|unnamed| {
        let bytes = unnamed.bytes(home)?;
        let path = home.join(&unnamed.commit);
        matches!(unnamed.model, ModelFiles::Folder(_))
            .then(|| Entry::on_hub(repository, path, bytes, Origin::Hub))
    });
    let files = addresses.named.iter().filter_map(|(file, commit)| {
        let folder = home.join(commit);
        let bytes = Receipt::read(&folder)?.bytes(&folder, file)?;
        let name = format!("{repository}/{file}");
        Some(Entry::on_hub(&name, folder.join(file), bytes, Origin::Hub))
    });
    folder_model.into_iter().chain(files).collect()
}

/// The folders in `folder`, by name; none where it does not exist.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::read(folder)(error)),
    };
    let mut folders: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    Ok(folders)
}

/// Bytes of a file, or of the files in a folder, links followed.
fn size(path: &Path, depth: usize) -> u64 {
    match std::fs::metadata(path) {
        Ok(data) if data.is_file() => data.len(),
        Ok(data) if data.is_dir() && depth > 0 => {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries.map(|entry| size(&entry.path(), depth - 1)).sum()
        }
        _ => 0,
    }
}
