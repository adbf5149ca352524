//! Files that are being written: without a name where the system has such files, else under one of their own.
//!
//! A file without a name goes with the process that writes it, however that ends. One with a name is locked while it is
//! written, so that whoever finds it later can tell that nobody will finish it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Begin and end of the names of what is not finished.
const BEGIN: &str = ".lookback-";
const END: &str = ".part";

/// Whether a file of this name is one that [`write_atomic`](crate::write_atomic) was writing, as a process that was killed may
/// leave it behind.
#[must_use]
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with(BEGIN) && name.ends_with(END)
}

/// A file that will stand in a folder once it is whole.
pub(crate) struct Unfinished {
    file: File,
    /// The folder that it is written in.
    folder: PathBuf,
    /// Its name while it is written; it is removed under that name unless it is put into place.
    name: Option<tempfile::TempPath>,
}

impl Unfinished {
    /// A new file in `folder`. What processes that were killed left there is removed.
    pub(crate) fn create_in(folder: &Path) -> io::Result<Self> {
        remove_abandoned(folder);
        if let Some(file) = unnamed::create_in(folder)? {
            return Ok(Self {
                file,
                folder: folder.into(),
                name: None,
            });
        }
        Self::named(folder)
    }

    /// A new file under a name of its own.
    fn named(folder: &Path) -> io::Result<Self> {
        loop {
            let mut builder = builder();
            #[cfg(unix)]
            {
                // A temporary file is its owner's alone; this one is to be as any new file is, as the umask says.
                use std::os::unix::fs::PermissionsExt;
                builder.permissions(fs::Permissions::from_mode(0o666));
            }
            let (file, name) = builder.tempfile_in(folder)?.into_parts();
            // Where there are no locks nothing is ever taken to be abandoned, either.
            let unlocked = matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock));
            // Another process may have found it before it was locked, and removed it.
            if !unlocked && name.exists() {
                return Ok(Self {
                    file,
                    folder: folder.into(),
                    name: Some(name),
                });
            }
        }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name, in place of whatever has it. On disk it is whole and stays, whatever happens to the machine.
    pub(crate) fn put_at(self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        match self.name {
            Some(name) => name.persist(path).map_err(|failed| failed.error)?,
            None => unnamed::put_at(&self.file, &self.folder, path)?,
        }
        sync_folder(&self.folder)
    }
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(BEGIN).suffix(END);
    builder
}

/// Removes what processes that ended left unfinished in `folder`: those files that nobody holds a lock of. Where that cannot
/// be done, they stay.
fn remove_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !is_unfinished(&entry.file_name().to_string_lossy()) {
            continue;
        }
        // A pipe of such a name would wait for its writer.
        let regular = entry.file_type().is_ok_and(|kind| kind.is_file());
        if let (true, Ok(file)) = (regular, File::open(entry.path()))
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Puts a folder's entries on disk, so that a file that was renamed into it is there under its name whatever happens to the
/// machine. Where the system cannot do that for folders, it does nothing.
///
/// # Errors
/// Those of the file system.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // A folder that may be written and not read, or a file system that does not know of it.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        done => done,
    }
}

#[cfg(not(unix))]
#[allow(missing_docs, clippy::missing_errors_doc)]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Files without a name (`O_TMPFILE`).
#[cfg(target_os = "linux")]
mod unnamed {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::path::{Path, PathBuf};

    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
    use rustix::io::Errno;

    /// A new file that is in `folder` and in none of its entries; none where the file system, or the system, has no such files.
    pub(super) fn create_in(folder: &Path) -> io::Result<Option<File>> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match open(folder, flags, Mode::from_raw_mode(0o666)) {
            Ok(file) => {
                let file = File::from(file);
                // Under this name it gets its own; it is missing where /proc is not mounted.
                Ok(address(&file).exists().then_some(file))
            }
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn address(file: &File) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
    }

    fn link(file: &File, path: &Path) -> io::Result<()> {
        linkat(CWD, address(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?;
        Ok(())
    }

    /// Gives the file its name. In place of another file it comes by a second name, for a moment, since only renaming replaces.
    pub(super) fn put_at(file: &File, folder: &Path, path: &Path) -> io::Result<()> {
        match link(file, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done,
        }
        // Whoever looks for abandoned files meanwhile finds this one locked.
        let _ = file.try_lock();
        let second = super::builder().make_in(folder, |second| link(file, second))?;
        second.into_temp_path().persist(path)?;
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod unnamed {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn create_in(_folder: &Path) -> io::Result<Option<File>> {
        Ok(None)
    }

    pub(super) fn put_at(_file: &File, _folder: &Path, _path: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let abandoned = folder.path().join(".lookback-aaaaaa.part");
        fs::write(&abandoned, "half").unwrap();
        fs::write(folder.path().join(".lookback-notes"), "mine").unwrap();
        let written = Unfinished::named(folder.path()).unwrap();
        Unfinished::create_in(folder.path()).unwrap();
        assert!(!abandoned.exists());
        assert!(written.name.as_ref().unwrap().exists());
        drop(written);
        assert_eq!(names(folder.path()), [".lookback-notes"]);
    }

    #[test]
    fn either_kind_of_file_takes_its_place() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        for create in [Unfinished::create_in, Unfinished::named] {
            for content in ["first", "second"] {
                let path = folder.path().join("x");
                let unfinished = create(folder.path()).unwrap();
                unfinished.file().write_all(content.as_bytes()).unwrap();
                unfinished.put_at(&path).unwrap();
                assert_eq!(fs::read_to_string(&path).unwrap(), content);
                assert_eq!(names(folder.path()), ["x"]);
            }
            fs::remove_file(folder.path().join("x")).unwrap();
        }
    }

    /// Nothing can be left of it, however the process ends.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_is_being_written_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let Some(file) = unnamed::create_in(folder.path()).unwrap() else {
            return;
        };
        assert_eq!(names(folder.path()), [""; 0]);
        drop(file);
    }
}
