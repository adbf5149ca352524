//! Files that are read in place, and whether they still are what they were.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};

/// Files up to this size are read into memory: what happens to them afterwards does no harm. 32 MiB are read in
/// some milliseconds.
const SMALL: u64 = 32 << 20;

/// What the system says of a file, by which a changed one is told from the one that was read.
///
/// Times are in nanoseconds. Whoever sets the clock back, or writes to the disk past the file system, can deceive it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    bytes: u64,
    /// When its content was last written.
    modified: i64,
    /// When its content or what the system says of it last changed: no program can set it. 0 where there is no such time.
    changed: i64,
    /// Which file of the file system it is; 0 where files have no numbers.
    inode: u64,
}

impl FileStamp {
    /// The stamp of an open file, or of one that was looked up.
    #[must_use]
    pub fn new(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let (changed, inode) = {
            use std::os::unix::fs::MetadataExt;
            let seconds = metadata.ctime().saturating_mul(1_000_000_000);
            (
                seconds.saturating_add(metadata.ctime_nsec()),
                metadata.ino(),
            )
        };
        #[cfg(not(unix))]
        let (changed, inode) = (0, 0);
        let modified = metadata.modified().ok();
        let modified = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        Self {
            bytes: metadata.len(),
            modified: modified.map_or(0, |time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)),
            changed,
            inode,
        }
    }

    /// The stamp of the file at `path`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::new(&std::fs::metadata(path)?))
    }

    /// Whether the content is what it was: the same size, not written since. A file that got another name or other
    /// rights has the same content.
    fn same_content(&self, other: &Self) -> bool {
        (self.bytes, self.modified) == (other.bytes, other.modified)
    }
}

/// A regular file's bytes: of a small one read into memory, of a large one mapped.
#[derive(Debug)]
pub struct MappedFile {
    path: PathBuf,
    file: File,
    stamp: FileStamp,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    /// As many of these numbers' bytes as the file has: numbers in it are as well aligned as in a map.
    Read(Vec<u64>),
    Mapped(Mmap),
}

impl MappedFile {
    /// Opens the regular file at `path`.
    ///
    /// # Errors
    /// Those of the file system; where it is no regular file, or changes while it is read.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Opening a pipe would wait for its writer, and a device has no end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut file = File::open(path)?;
        let stamp = FileStamp::new(&file.metadata()?);
        let bytes = if stamp.bytes <= SMALL {
            Bytes::Read(read(&mut file, stamp.bytes as usize)?)
        } else {
            // SAFETY: the map is private and never written to, and its bytes are only ever read as numbers of which no
            // bit pattern is invalid; lengths and offsets that are taken from them are checked before each use, and no
            // reference into the map outlives `self`. What no program can rule out is that another one writes to the file
            // meanwhile: then numbers are wrong, which `is_unchanged` finds; where it is shortened, the system ends
            // the process with SIGBUS (see `explain_bus_errors`). Files of this project are never written in place: a
            // new one takes the old one's name, and the map keeps the old one.
            Bytes::Mapped(unsafe { Mmap::map(&file) }?)
        };
        let opened = Self {
            path: path.into(),
            file,
            stamp,
            bytes,
        };
        let now = FileStamp::new(&opened.file.metadata()?);
        if now.same_content(&stamp) {
            Ok(opened)
        } else {
            Err(io::Error::other("it changed while it was read"))
        }
    }

    /// The path that it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the system said of the file when it was opened.
    #[must_use]
    pub fn stamp(&self) -> FileStamp {
        self.stamp
    }

    /// All of its bytes, aligned for numbers of up to 8 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Read(numbers) => &bytemuck::cast_slice(numbers)[..self.stamp.bytes as usize],
            Bytes::Mapped(map) => map,
        }
    }

    /// Whether [`MappedFile::bytes`] are what they were when the file was opened. To be asked before they are used.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        match &self.bytes {
            Bytes::Read(_) => true,
            Bytes::Mapped(_) => {
                let now = self.file.metadata();
                now.is_ok_and(|now| FileStamp::new(&now).same_content(&self.stamp))
            }
        }
    }
}

/// The first `len` bytes of a file.
fn read(file: &mut File, len: usize) -> io::Result<Vec<u64>> {
    let mut numbers = vec![0_u64; len.div_ceil(size_of::<u64>())];
    file.read_exact(&mut bytemuck::cast_slice_mut(&mut numbers)[..len])?;
    Ok(numbers)
}

/// From now on a process that reads from a mapped file what is no longer there ends with exit code 1 and a line that says so,
/// where it would end without a word. For the program to call, once; where there is no such signal it does nothing.
///
/// The process cannot go on: whoever reads a map has no way to be told of an error.
///
/// # Errors
/// Where the system does not take the handler.
pub fn explain_bus_errors() -> io::Result<()> {
    #[cfg(unix)]
    {
        // SAFETY: the handler makes two system calls, `write` and `_exit`, which POSIX allows in a handler of signals.
        // It allocates nothing, takes no lock and cannot panic; it does not return, so that nobody sees what it does
        // to errno.
        unsafe { signal_hook::low_level::register(signal_hook::consts::SIGBUS, end_with_a_word) }?;
    }
    Ok(())
}

#[cfg(unix)]
fn end_with_a_word() {
    const WHY: &[u8] = b"error: a file in use (a model, a trace or a font) was shortened or overwritten, or its disk \
        failed, while it was read; run this again once the file is whole\n";
    // Past the lock that printing takes. Where it fails, nobody is left to be told.
    let _ = rustix::io::write(std::io::stderr(), WHY);
    signal_hook::low_level::exit(1);
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(bytes: usize) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let content: Vec<u8> = (0..bytes).map(|at| at as u8).collect();
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    #[test]
    fn a_small_file_is_what_it_was_whatever_happens_to_it() {
        for size in [0, 1, 8, 1003] {
            let (_folder, path) = file(size);
            let opened = MappedFile::open(&path).unwrap();
            let before = opened.bytes().to_vec();
            assert_eq!(before.len(), size);
            std::fs::write(&path, "").unwrap();
            assert!(opened.is_unchanged());
            assert_eq!(opened.bytes(), before);
        }
    }

    #[test]
    fn a_large_file_that_is_written_to_is_found_out() {
        let (_folder, path) = file(SMALL as usize + 1);
        let opened = MappedFile::open(&path).unwrap();
        assert!(opened.is_unchanged());
        let renamed = path.with_file_name("y");
        std::fs::rename(&path, &renamed).unwrap();
        assert!(opened.is_unchanged());
        let mut writer = File::options().write(true).open(&renamed).unwrap();
        // The clock of a file system may move on only every few milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(20));
        writer.write_all(b"another").unwrap();
        assert!(!opened.is_unchanged());
    }

    #[test]
    fn a_file_in_the_same_place_has_another_stamp() {
        let (_folder, path) = file(100);
        let before = FileStamp::at(&path).unwrap();
        assert_eq!(before, FileStamp::at(&path).unwrap());
        let other = path.with_file_name("y");
        std::fs::copy(&path, &other).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_ne!(before, FileStamp::at(&path).unwrap());
    }

    #[test]
    fn what_is_no_regular_file_is_refused() {
        let (folder, _) = file(0);
        let error = MappedFile::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }

    /// Reads what is no longer there, in a process of its own, when it is told to by its environment.
    #[cfg(unix)]
    #[test]
    fn read_past_the_end_where_asked_to() {
        let Some(path) = std::env::var_os("LOOKBACK_TEST_SHORTEN") else {
            return;
        };
        explain_bus_errors().unwrap();
        let opened = MappedFile::open(Path::new(&path)).unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(0)
            .unwrap();
        let sum: u64 = opened.bytes().iter().map(|&byte| u64::from(byte)).sum();
        panic!("there was nothing to read, and it came to {sum}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_shortened_while_it_is_read_ends_the_process_with_a_word() {
        let (_folder, path) = file(SMALL as usize + 1);
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "mapped_file::tests::read_past_the_end_where_asked_to",
            ])
            .arg("--nocapture")
            .env("LOOKBACK_TEST_SHORTEN", &path)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("error: a file in use") && said.contains("was shortened"),
            "{said}"
        );
    }
}
