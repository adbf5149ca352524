//! Models on the Hugging Face hub: found on disk, else fetched.

mod client;
mod download;
mod files;
mod receipt;
mod shared;

use std::path::{Path, PathBuf};

pub(super) use receipt::{Receipt, fetched};
pub(super) use shared::models as shared_models;

use super::lock::Lock;
use super::spec::HubSpec;
use super::{Error, Progress, Resolved, Settings};
use client::Client;
use download::Download;
use files::{Listing, Plan};

/// The model that `spec` names: from this program's cache, else from the shared one, else from the hub.
pub(super) fn ensure(
    spec: &HubSpec,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Resolved, Error> {
    let home = home(spec, settings);
    if let Some(found) = receipt::find(spec, &home) {
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
        let repository = spec.to_string().trim_start_matches("hf:").to_owned();
        return Err(Error::Offline { repository });
    }
    let _lock = Lock::acquire(&home, &spec.to_string(), progress)?;
    // Another process may have fetched it while this one waited.
    if let Some(found) = receipt::find(spec, &home) {
        return Ok(found);
    }
    Fetch {
        spec,
        home: &home,
        client: Client::new(settings),
        progress,
    }
    .run()
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
        let path = match plan {
            Plan::File(file) => {
                self.fetch(&commit, std::slice::from_ref(&file), &mut receipt)?;
                folder.join(file)
            }
            Plan::Folder { files, sharded } => {
                self.fetch(&commit, &files, &mut receipt)?;
                if sharded {
                    let shards = files::shards(&folder).map_err(|why| self.not_a_model(why))?;
                    self.fetch(&commit, &shards, &mut receipt)?;
                }
                receipt.folder = true;
                receipt.write(&folder)?;
                folder
            }
        };
        receipt::write_main(self.home, &commit)?;
        // A repository with a single .gguf file is asked for without naming it.
        let sha256 = path
            .strip_prefix(self.home.join(&commit))
            .ok()
            .and_then(|file| receipt.files.get(file.to_str()?)?.sha256.clone());
        Ok(Resolved {
            name: self.spec.to_string(),
            path,
            sha256,
        })
    }

    /// Fetches those of `files` that the receipt does not have.
    fn fetch(&self, commit: &str, files: &[String], receipt: &mut Receipt) -> Result<(), Error> {
        let folder = self.home.join(commit);
        for (index, file) in files.iter().enumerate() {
            if receipt.has(&folder, file) {
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
