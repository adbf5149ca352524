//! Read-only memory maps of weight files.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use sha2::{Digest, Sha256};

use super::Error;
use crate::store::EmbeddedModel;

/// A file's bytes, read from disk as they are touched.
#[derive(Debug)]
pub(crate) struct MappedFile {
    path: PathBuf,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    /// Of a file on disk.
    Mapped(Mmap),
    /// Part of the program; of an empty file, which cannot be mapped, none.
    Static(&'static [u8]),
}

impl MappedFile {
    /// Maps the regular file at `path`, or takes the built-in model of that address.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        if let Some(model) = EmbeddedModel::at(path) {
            return Ok(Self {
                path: path.to_owned(),
                bytes: Bytes::Static(model.bytes),
            });
        }
        let at = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        // A pipe would block in `open` and a device has no end.
        let metadata = std::fs::metadata(path).map_err(at)?;
        if !metadata.is_file() {
            return Err(Error::NotAFile {
                path: path.to_owned(),
            });
        }
        let file = File::open(path).map_err(at)?;
        let bytes = if metadata.len() == 0 {
            Bytes::Static(&[])
        } else {
            // SAFETY: the map is private and never written to, and its bytes are only ever read
            // as integers: no value of a byte is invalid, lengths and offsets taken from them
            // are checked before each use, and no reference into the map outlives `self`. A
            // process that shortens the file meanwhile ends this one with SIGBUS, as it would
            // any reader of a map; the store replaces files by renaming, which leaves the
            // mapped one whole.
            Bytes::Mapped(unsafe { Mmap::map(&file) }.map_err(at)?)
        };
        Ok(Self {
            path: path.to_owned(),
            bytes,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Static(bytes) => bytes,
        }
    }

    /// SHA-256 of all bytes.
    pub(crate) fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.bytes()).into()
    }
}
