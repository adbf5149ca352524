//! Where models come from: the cache, the default model, the Hugging Face hub.
//!
//! [`Store`] is the principal type. [`Store::resolve`] turns what a person writes after `--model` into a file
//! or folder that [`crate::Model::load`] opens, fetching it first where that is needed; [`Store::list`] says
//! what is already there. Whoever waits is told through [`Progress`].
//!
//! Nothing half-fetched is ever in use: files are written aside, their SHA-256 is checked, and only then are
//! they renamed into place. One process fetches at a time; a second one waits for it and finds the file there.

mod error;
mod known;
mod list;
mod progress;
mod settings;

use std::path::PathBuf;

pub use error::Error;
pub use known::{DEFAULT_MODEL, KNOWN, KnownModel, Wheel};
pub use list::{Entry, Origin};
pub use progress::{Progress, Silent, Stage};
pub use settings::{HubSettings, Settings};

/// A model on this machine's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// What to call it: `smollm2-135m`, `hf:OWNER/NAME`, or the last part of a path.
    pub name: String,
    /// The GGUF file or the folder.
    pub path: PathBuf,
    /// SHA-256 of the file, where it is pinned: that is, for the models in [`KNOWN`].
    pub sha256: Option<String>,
}

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
    pub fn new(settings: Settings) -> Self {
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
    /// `spec` is a name in [`KNOWN`], `hf:OWNER/NAME` or `hf:OWNER/NAME/FILE` on the Hugging Face hub, or the
    /// path of a folder or of a `.gguf` file.
    ///
    /// # Errors
    /// [`Error::UnknownModel`] where it is none of these, [`Error::Spec`] where it is malformed; else what
    /// kept it from being fetched.
    pub fn resolve(&self, spec: &str, progress: &dyn Progress) -> Result<Resolved, Error> {
        let _ = (spec, progress);
        unimplemented!()
    }

    /// The models on this machine: those in [`KNOWN`] whether fetched or not, those fetched from the hub, and
    /// those in the hub's own local cache.
    ///
    /// # Errors
    /// [`Error::Io`] where the cache directory exists but cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, Error> {
        unimplemented!()
    }
}

/// The default model of [`Store::from_env`].
///
/// # Errors
/// As [`Store::default_model`].
pub fn default_model(progress: &dyn Progress) -> Result<Resolved, Error> {
    Store::from_env()?.default_model(progress)
}
