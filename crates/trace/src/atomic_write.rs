//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::unfinished::Unfinished;

/// Writes a file beside `path` and puts it at `path` once all of it is on disk.
///
/// Whoever opens `path` meanwhile sees what was there before. If anything fails, or the process is killed, nothing half-written
/// is left: the file has no name until it is whole. Where the system has no files without a name, what a killed process left is
/// removed by the next one that writes into the folder.
/// A link is followed: what it names is replaced, and the link stays. What is no regular file (a pipe, a device
/// such as `/dev/stdout`) cannot be replaced and is written to as it is.
///
/// # Errors
/// Those of the file system, and whatever `write` gives.
pub fn write_atomic(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let path = followed(path);
    match fs::metadata(&path) {
        Ok(there) if !there.is_file() && !there.is_dir() => {
            let file = File::options().write(true).open(&path)?;
            buffered(&file, write)
        }
        _ => replace(&path, write),
    }
}

/// The file that a link names in the end; any other path, and a link to nothing, as it is.
fn followed(path: &Path) -> PathBuf {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => fs::canonicalize(path).unwrap_or_else(|_| path.into()),
        _ => path.into(),
    }
}

fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let unfinished = Unfinished::create_in(folder).map_err(without_temporary_name)?;
    buffered(unfinished.file(), write)?;
    unfinished.put_at(path).map_err(without_temporary_name)
}

/// The error without the name of a file that nobody asked for.
fn without_temporary_name(error: io::Error) -> io::Error {
    match error.kind() {
        kind @ (io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::StorageFull
        | io::ErrorKind::NotFound) => kind.into(),
        _ => error,
    }
}

fn buffered(
    file: &File,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    write(&mut writer)?;
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_not_named_by_a_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let lost = write_atomic(&folder.path().join("no/x"), |_| Ok(())).unwrap_err();
        assert_eq!(lost.kind(), io::ErrorKind::NotFound);
        assert!(!lost.to_string().contains(".part"), "{lost}");
    }

    #[test]
    fn a_full_disk_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "before").unwrap();
        let full = write_atomic(&path, |w| {
            w.write_all(&[7; 3_000_000])?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
        assert_eq!(names(folder.path()), ["x"]);
    }

    #[test]
    fn a_whole_file_takes_the_place_of_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "before").unwrap();
        write_atomic(&path, |w| w.write_all(b"after")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"after");
        assert_eq!(names(folder.path()), ["x"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_what_it_names_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("x"), folder.path().join("link"));
        std::fs::write(&path, "before").unwrap();
        std::os::unix::fs::symlink("x", &link).unwrap();
        write_atomic(&link, |w| w.write_all(b"after")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"after");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_written_to_and_not_replaced() {
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let reader = {
            let pipe = pipe.clone();
            std::thread::spawn(move || std::fs::read(pipe).unwrap())
        };
        write_atomic(&pipe, |w| w.write_all(b"through")).unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
        assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_what_the_umask_lets_them() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| {
            let path = folder.path().join(name);
            std::fs::metadata(path).unwrap().permissions().mode()
        };
        std::fs::write(folder.path().join("plain"), "").unwrap();
        write_atomic(&folder.path().join("new"), |_| Ok(())).unwrap();
        assert_eq!(mode("new"), mode("plain"));
    }
}
