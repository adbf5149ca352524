//! Whether a disk can hold a file, asked before it is written.

use std::path::Path;

use anyhow::bail;

use crate::output;

/// Says how large a file will be, and fails where its disk has no room for it; `hint` says how it gets smaller.
pub(crate) fn announce(file: &Path, size: u64, at_most: &str, hint: &str) -> anyhow::Result<()> {
    check(file, size, free(file), hint)?;
    output::note(&format!(
        "{} takes {at_most}{}",
        file.display(),
        output::bytes(size)
    ));
    Ok(())
}

fn check(file: &Path, size: u64, free: Option<u64>, hint: &str) -> anyhow::Result<()> {
    match free {
        Some(free) if size > free => bail!(
            "{} would take {}, and its disk has {} free; {hint}, or write it to another disk",
            file.display(),
            output::bytes(size),
            output::bytes(free)
        ),
        _ => Ok(()),
    }
}

/// Bytes that may still be written where this file is to be; none where the system does not say.
#[cfg(unix)]
fn free(file: &Path) -> Option<u64> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free(_file: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_larger_than_the_disk_is_an_error_that_says_what_to_do() {
        let check = |size, free| check(Path::new("w.npy"), size, free, "choose fewer heads");
        assert!(check(10, Some(10)).is_ok() && check(10, None).is_ok());
        let message = check(72_000_000_000, Some(3_200_000_000)).unwrap_err();
        assert_eq!(
            message.to_string(),
            "w.npy would take 72.0 GB, and its disk has 3.2 GB free; choose fewer heads, or write it to another disk"
        );
    }

    #[cfg(unix)]
    #[test]
    fn the_disk_of_a_folder_that_exists_is_known() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free(&folder.path().join("new")).is_some());
        assert!(free(&folder.path().join("no/such/folder/new")).is_none());
    }
}
