//! Files written aside, to be renamed into place once they are whole.

use std::io::Write as _;
use std::path::Path;

use tempfile::{NamedTempFile, TempDir};

use super::Error;

/// Begin of the names of what is not finished: files and folders that whoever holds the lock may remove.
pub(super) const PARTIAL: &str = ".partial-";

/// A new file in `folder`, readable by whoever may read other files there; it goes unless it is renamed.
pub(super) fn file(folder: &Path) -> Result<NamedTempFile, Error> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
        .prefix(PARTIAL)
        .tempfile_in(folder)
        .map_err(Error::write(folder))
}

/// A new folder in `folder`; it goes with what is in it.
pub(super) fn folder(folder: &Path) -> Result<TempDir, Error> {
    tempfile::Builder::new()
        .prefix(PARTIAL)
        .tempdir_in(folder)
        .map_err(Error::write(folder))
}

/// Renames a finished file into place.
pub(super) fn put(file: NamedTempFile, path: &Path) -> Result<(), Error> {
    let written = file.as_file().sync_all().map_err(Error::write(path));
    written.and_then(|()| {
        let moved = file.persist(path).map_err(|error| error.error);
        moved.map(drop).map_err(Error::write(path))
    })
}

/// Writes a small text file.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let mut aside = file(path.parent().unwrap_or(path))?;
    aside
        .write_all(text.as_bytes())
        .map_err(Error::write(path))?;
    put(aside, path)
}
