//! Models on the Hugging Face hub: found on disk, else fetched.

mod client;
mod download;
mod files;
mod receipt;
mod shared;

use std::path::{Path, PathBuf};

pub(super) use receipt::{Addresses, ModelFiles, Receipt};
pub(super) use shared::models as shared_models;

use super::lock::Lock;
use super::spec::HubSpec;
use super::{Error, Progress, Resolved, Settings};
use client::Client;
use download::Download;
use files::{Listing, Plan};
use receipt::Unnamed;

/// The model that `spec` names: from this program's cache, else from the shared one, else from the hub.
pub(super) fn ensure(
    spec: &HubSpec,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Resolved, Error> {
    let home = home(spec, settings);
    if let Some(found) = receipt::find(spec, &home, progress)? {
        Lock::sweep_if_free(&home);
        return Ok(found);
    }
    if let Some(found) = settings
        .hub
        .shared_cache
        .as_deref()
        .and_then(|cache| shared::find(spec, cache))
    {
        return Ok(found);
    }
    if settings.hub.offline {
        return Err(offline(spec, &home, settings));
    }
    let lock = Lock::acquire(&home, &spec.to_string(), progress)?;
    lock.sweep(&home)?;
    // Another process may have fetched it while this one waited.
    if let Some(found) = receipt::find(spec, &home, progress)? {
        return Ok(found);
    }
    Fetch {
        spec,
        settings,
        home: &home,
        client: Client::new(settings),
        progress,
    }
    .run()
}

/// What to say where nothing may be fetched, with the files of the repository that are here and could be named.
fn offline(spec: &HubSpec, home: &Path, settings: &Settings) -> Error {
    let repository = spec.repository();
    let own = Addresses::read(home).named.into_keys();
    let shared = settings.hub.shared_cache.iter().flat_map(|cache| {
        let models = shared::models(cache).into_iter();
        models.filter_map(|(name, _)| {
            name.strip_prefix(&repository)?
                .strip_prefix('/')
                .map(str::to_owned)
        })
    });
    let here: Vec<_> = own
        .chain(shared)
        .map(|file| format!("hf:{repository}/{file}"))
        .collect();
    let hint = match here.as_slice() {
        [] => String::new(),
        here => format!(", or use what is here: {}", here.join(", ")),
    };
    Error::Offline {
        model: spec.to_string(),
        hint,
    }
}

/// Where a repository's files lie in this program's cache.
fn home(spec: &HubSpec, settings: &Settings) -> PathBuf {
    settings
        .cache
        .join("hub")
        .join(&spec.owner)
        .join(&spec.name)
}

/// One fetch, under the lock.
struct Fetch<'a> {
    spec: &'a HubSpec,
    settings: &'a Settings,
    home: &'a Path,
    client: Client<'a>,
    progress: &'a dyn Progress,
}

impl Fetch<'_> {
    fn run(&self) -> Result<Resolved, Error> {
        let listing: Listing = self.client.listing(self.spec)?;
        let commit = listing.commit().map_err(|why| self.not_a_model(why))?;
        let plan = files::plan(&listing, self.spec.file.as_deref())
            .map_err(|why| self.not_a_model(why))?;
        receipt::drop_partial(self.home, &commit)?;
        let folder = self.home.join(&commit);
        let mut receipt = Receipt::read(&folder).unwrap_or_default();
        let model = match plan {
            Plan::Gguf(files) => {
                // The part that was named, where one was.
                let named = self.spec.file.as_ref().or(files.first());
                let named = named.cloned().unwrap_or_default();
                if let Some(found) = self.in_shared_cache(&commit, &named) {
                    return Ok(found);
                }
                self.fetch(&commit, &files, &mut receipt)?;
                ModelFiles::File(named)
            }
            Plan::Folder { mut files, index } => {
                self.fetch(&commit, &files, &mut receipt)?;
                if let Some(index) = index {
                    let shards = files::shards(&folder, index);
                    let shards = shards.map_err(|why| self.not_a_model(why))?;
                    self.fetch(&commit, &shards, &mut receipt)?;
                    files.extend(shards);
                }
                ModelFiles::Folder(files)
            }
        };
        self.remember(commit, model)?;
        // Empty, or a file of another address that will go on there.
        let _ = std::fs::remove_dir(folder.join(receipt::PARTIAL));
        receipt::find(self.spec, self.home, self.progress)?.ok_or_else(|| self.vanished())
    }

    /// A GGUF file of this commit that Hugging Face's own tools have fetched.
    fn in_shared_cache(&self, commit: &str, file: &str) -> Option<Resolved> {
        let cache = self.settings.hub.shared_cache.as_deref()?;
        shared::find_file(self.spec, cache, commit, file)
    }

    /// Remembers what the address stands for from now on; other addresses stay.
    fn remember(&self, commit: String, model: ModelFiles) -> Result<(), Error> {
        let mut addresses = Addresses::read(self.home);
        if let ModelFiles::File(file) = &model {
            let known = addresses.named.contains_key(file);
            if self.spec.file.is_some() || !known {
                addresses.name(file, &commit);
            }
        }
        if self.spec.file.is_none() {
            addresses.unnamed = Some(Unnamed { commit, model });
        }
        addresses.write(self.home)
    }

    /// Files that were there a moment ago are not.
    fn vanished(&self) -> Error {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        Error::read(self.home)(missing)
    }

    /// Fetches those of `files` that the receipt does not have.
    fn fetch(&self, commit: &str, files: &[String], receipt: &mut Receipt) -> Result<(), Error> {
        let folder = self.home.join(commit);
        for (index, file) in files.iter().enumerate() {
            if receipt.checked(&folder, file, self.progress)?.is_some() {
                continue;
            }
            let of = if files.len() > 1 {
                format!(" ({} of {})", index + 1, files.len())
            } else {
                String::new()
            };
            let download = Download {
                client: &self.client,
                url: self.client.file_url(self.spec, commit, file),
                name: format!("{}/{file}{of}", self.spec.name),
                partial: folder.join(receipt::PARTIAL).join(file),
                target: folder.join(file),
            };
            receipt
                .files
                .insert(file.clone(), download.run(self.progress)?);
            receipt.write(&folder)?;
        }
        Ok(())
    }

    fn not_a_model(&self, why: String) -> Error {
        Error::NotAModel {
            repository: self.spec.repository(),
            why,
        }
    }
}
