//! The model that is built into the program: no network, no download, no file.
//!
//! Its address, `built-in:pronoun`, stands where others have a path, and its file is read where the program has it: it
//! can be used where nothing can be written.

use std::path::{Path, PathBuf};

use super::Resolved;

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

/// What the addresses of built-in models begin with.
const SCHEME: &str = "built-in:";

impl EmbeddedModel {
    /// Its address, which [`Checkpoint::open`](crate::checkpoint::Checkpoint::open) and [`Model::load`](crate::Model::load)
    /// take like a path.
    #[must_use]
    pub fn address(&self) -> PathBuf {
        PathBuf::from(format!("{SCHEME}{}", self.name))
    }

    /// The model of an address. A file of such a name is meant by `./built-in:NAME`.
    #[must_use]
    pub fn at(address: &Path) -> Option<&'static Self> {
        let name = address.to_str()?.strip_prefix(SCHEME)?;
        [&PRONOUN].into_iter().find(|model| model.name == name)
    }

    /// What [`Store::resolve`](super::Store::resolve) gives for its name. No store is needed.
    #[must_use]
    pub fn resolved(&self) -> Resolved {
        Resolved {
            name: self.name.to_owned(),
            path: self.address(),
            sha256: Some(self.sha256.to_owned()),
            stamp: None,
        }
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
    fn it_is_loaded_without_a_file() {
        let model = crate::Model::load(&PRONOUN.address(), &crate::LoadOptions::default()).unwrap();
        let provenance = model.checkpoint().provenance();
        assert_eq!(provenance.name(), "pronoun");
        assert_eq!(EmbeddedModel::at(&PRONOUN.address()), Some(&PRONOUN));
        assert_eq!(EmbeddedModel::at(Path::new("built-in:another")), None);
        assert_eq!(EmbeddedModel::at(Path::new("./built-in:pronoun")), None);
    }
}
