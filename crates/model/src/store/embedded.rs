//! The model that is built into the program: no network, no download.
//!
//! Its file is put into the cache when it is first asked for, so that it is opened like every other.

use std::io::Write as _;
use std::path::PathBuf;

use super::{Error, Settings, aside};

/// A model whose file is part of the program.
#[derive(PartialEq, Eq)]
pub struct EmbeddedModel {
    /// The short name.
    pub name: &'static str,
    /// What it is, in one line.
    pub title: &'static str,
    /// SPDX identifier of its licence.
    pub license: &'static str,
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: &'static str,
    /// The file, GGUF.
    pub bytes: &'static [u8],
}

impl std::fmt::Debug for EmbeddedModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedModel")
            .field("name", &self.name)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// The small model that was taught whom *he* stands for in the notes' sentences; see `docs/learn.md`.
pub static PRONOUN: EmbeddedModel = EmbeddedModel {
    name: "pronoun",
    title: "small attention-only model that points from a pronoun to a name",
    license: "Apache-2.0",
    sha256: include_str!("../../models/pronoun.sha256").trim_ascii(),
    bytes: include_bytes!("../../models/pronoun.gguf"),
};

impl EmbeddedModel {
    /// Where its file lies in the cache, or will lie.
    pub(super) fn file(&self, settings: &Settings) -> PathBuf {
        settings
            .cache
            .join(self.name)
            .join(format!("{}.gguf", self.name))
    }

    /// The file, put there first if it is not there or not whole. Whoever writes it at the same time writes the same.
    pub(super) fn ensure(&self, settings: &Settings) -> Result<PathBuf, Error> {
        let path = self.file(settings);
        if std::fs::read(&path).is_ok_and(|found| found == self.bytes) {
            return Ok(path);
        }
        let folder = path.parent().unwrap_or(&path);
        std::fs::create_dir_all(folder).map_err(Error::write(folder))?;
        let mut file = aside::file(folder)?;
        file.write_all(self.bytes).map_err(Error::write(&path))?;
        aside::put(file, &path)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn its_digest_is_the_one_that_is_written_beside_it() {
        let digest = Sha256::digest(PRONOUN.bytes);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, PRONOUN.sha256);
    }

    #[test]
    fn a_damaged_copy_in_the_cache_is_replaced() {
        let cache = tempfile::tempdir().unwrap();
        let settings = Settings {
            cache: cache.path().to_owned(),
            ..Settings::from_env().unwrap()
        };
        let path = PRONOUN.ensure(&settings).unwrap();
        std::fs::write(&path, b"damaged").unwrap();
        assert_eq!(PRONOUN.ensure(&settings).unwrap(), path);
        assert_eq!(std::fs::read(path).unwrap(), PRONOUN.bytes);
    }
}
