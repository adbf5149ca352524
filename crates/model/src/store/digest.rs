//! Copying and checking bytes: SHA-256 with progress.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use lookback_trace::FileStamp;
use sha2::{Digest as _, Sha256};

use super::{Error, Progress, Stage};

/// Bytes moved at a time.
const CHUNK: usize = 256 << 10;

/// A SHA-256 in the making.
#[derive(Clone, Default)]
pub(super) struct Hasher(Sha256);

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest, in lower-case hexadecimal.
    pub(super) fn finish(self) -> String {
        self.0
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// Reads `reader` to its end and hands each piece to `each`, telling `progress` how many bytes are done.
fn pump(
    reader: &mut dyn Read,
    path: &Path,
    progress: &dyn Progress,
    each: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<u64, Error> {
    let mut buffer = vec![0; CHUNK];
    let mut done = 0;
    loop {
        if progress.cancelled() {
            return Err(Error::Interrupted);
        }
        let count = match reader.read(&mut buffer) {
            Ok(0) => return Ok(done),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::read(path)(error)),
        };
        each(&buffer[..count])?;
        done += count as u64;
        progress.advance(done);
    }
}

/// Feeds the file at `path` to `hasher`, as a stage of its own; gives its size.
pub(super) fn hash_into(
    hasher: &mut Hasher,
    path: &Path,
    progress: &dyn Progress,
) -> Result<u64, Error> {
    let mut file = File::open(path).map_err(Error::read(path))?;
    let total = file.metadata().map_err(Error::read(path))?.len();
    progress.begin(
        &Stage::Verifying {
            name: file_name(path),
        },
        Some(total),
    );
    pump(&mut file, path, progress, &mut |bytes| {
        hasher.update(bytes);
        Ok(())
    })
}

/// Copies `reader` (of the archive `from`) to `to`, which is at `path`, and gives its size and SHA-256.
pub(super) fn copy_hashed(
    reader: &mut dyn Read,
    from: &Path,
    (to, path): (&mut dyn Write, &Path),
    progress: &dyn Progress,
) -> Result<(u64, String), Error> {
    let mut hasher = Hasher::default();
    let bytes = pump(reader, from, progress, &mut |bytes| {
        hasher.update(bytes);
        to.write_all(bytes).map_err(Error::write(path))
    })?;
    Ok((bytes, hasher.finish()))
}

/// Fails unless the file at `path` has this size and SHA-256; gives its stamp, by which it can be told that it is still that file.
pub(super) fn verify(
    path: &Path,
    bytes: u64,
    sha256: &str,
    progress: &dyn Progress,
) -> Result<FileStamp, Error> {
    let found = std::fs::metadata(path).map_err(Error::read(path))?.len();
    check_size(path, bytes, found)?;
    let before = FileStamp::at(path).map_err(Error::read(path))?;
    let mut hasher = Hasher::default();
    hash_into(&mut hasher, path, progress)?;
    check_digest(path, sha256, hasher.finish())?;
    if FileStamp::at(path).map_err(Error::read(path))? == before {
        return Ok(before);
    }
    Err(Error::read(path)(std::io::Error::other(
        "it changed while it was checked",
    )))
}

pub(super) fn check_size(path: &Path, expected: u64, found: u64) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Size {
        file: file_name(path),
        expected,
        found,
    })
}

pub(super) fn check_digest(path: &Path, expected: &str, found: String) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Checksum {
        file: file_name(path),
        expected: expected.to_owned(),
        found,
    })
}

/// The last part of a path, to be shown.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Silent;

    #[test]
    fn a_file_is_told_from_another_by_size_and_by_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        verify(&path, 3, sha256, &Silent).unwrap();
        assert!(matches!(
            verify(&path, 4, sha256, &Silent),
            Err(Error::Size {
                expected: 4,
                found: 3,
                ..
            })
        ));
        let wrong = sha256.replace('b', "c");
        assert!(matches!(
            verify(&path, 3, &wrong, &Silent),
            Err(Error::Checksum { .. })
        ));
    }

    #[test]
    fn a_full_disk_is_called_so() {
        if !Path::new("/dev/full").exists() {
            return;
        }
        let path = Path::new("/dev/full");
        let mut full = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        let copied = copy_hashed(
            &mut &b"abc"[..],
            Path::new("abc"),
            (&mut full, path),
            &Silent,
        );
        assert!(matches!(copied, Err(Error::DiskFull { .. })), "{copied:?}");
    }
}
