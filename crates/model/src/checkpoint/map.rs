//! The files of weights.

use std::path::{Path, PathBuf};

use lookback_trace::{FileStamp, MappedFile as FileOnDisk};
use sha2::{Digest, Sha256};

use super::Error;
use crate::store::EmbeddedModel;

/// A file's bytes: those of a large one are read from disk as they are touched.
#[derive(Debug)]
pub(crate) struct MappedFile {
    path: PathBuf,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    OnDisk(FileOnDisk),
    /// Part of the program.
    BuiltIn(&'static [u8]),
    /// Numbers of a file that were put in order.
    Copied(Vec<u8>),
}

impl MappedFile {
    /// Opens the regular file at `path`, or takes the built-in model of that address.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let bytes = match EmbeddedModel::at(path) {
            Some(model) => Bytes::BuiltIn(model.bytes),
            None => {
                let at = |source| Error::Io {
                    path: path.to_owned(),
                    source,
                };
                if !std::fs::metadata(path).map_err(at)?.is_file() {
                    return Err(Error::NotAFile {
                        path: path.to_owned(),
                    });
                }
                Bytes::OnDisk(FileOnDisk::open(path).map_err(at)?)
            }
        };
        Ok(Self {
            path: path.to_owned(),
            bytes,
        })
    }

    /// Numbers of the file at `path` that were put in order.
    pub(crate) fn copied(path: &Path, bytes: Vec<u8>) -> Self {
        Self {
            path: path.to_owned(),
            bytes: Bytes::Copied(bytes),
        }
    }

    /// Whether it is a file of its own.
    pub(crate) fn is_file(&self) -> bool {
        !matches!(self.bytes, Bytes::Copied(_))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::OnDisk(file) => file.bytes(),
            Bytes::BuiltIn(bytes) => bytes,
            Bytes::Copied(bytes) => bytes,
        }
    }

    /// What the system said of the file when it was opened; none of one that is built in.
    pub(crate) fn stamp(&self) -> Option<FileStamp> {
        match &self.bytes {
            Bytes::OnDisk(file) => Some(file.stamp()),
            Bytes::BuiltIn(_) | Bytes::Copied(_) => None,
        }
    }

    /// Fails where the file was written to since it was opened. To be asked before its bytes are used.
    pub(crate) fn check_unchanged(&self) -> Result<(), Error> {
        match &self.bytes {
            Bytes::OnDisk(file) if !file.is_unchanged() => Err(Error::Changed {
                path: self.path.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// SHA-256 of all bytes.
    pub(crate) fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.bytes()).into()
    }
}
