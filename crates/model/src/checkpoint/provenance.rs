//! Where a checkpoint's numbers come from.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lookback_trace::FileStamp;
use sha2::{Digest, Sha256};

use super::Error;
use super::map::MappedFile;
use super::weights::Weights;

/// What a trace says about the model it was made with.
#[derive(Clone)]
pub struct Provenance {
    name: String,
    path: PathBuf,
    weights: Arc<Weights>,
}

impl Provenance {
    pub(crate) fn new(name: String, path: &Path, weights: Arc<Weights>) -> Self {
        Self {
            name,
            path: path.to_owned(),
            weights,
        }
    }

    /// The model's own name: GGUF's `general.name`, or the folder's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file or folder that was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files of the weights, in order.
    pub fn weight_files(&self) -> impl Iterator<Item = &Path> {
        self.weights.files().map(MappedFile::path)
    }

    /// What the system said of the weights' file when it was opened; none where there are several, or it is built in.
    #[must_use]
    pub fn stamp(&self) -> Option<FileStamp> {
        let mut files = self.weights.files();
        let first = files.next()?;
        files.next().is_none().then(|| first.stamp()).flatten()
    }

    /// SHA-256 of the weights' file in lower-case hexadecimal; where there are several, of
    /// their digests in order. Every byte is read.
    ///
    /// # Errors
    /// [`Error::Changed`] where a file was written to since it was opened: then the model may have read other bytes.
    pub fn sha256(&self) -> Result<String, Error> {
        let files: Vec<&MappedFile> = self.weights.files().collect();
        let digest: [u8; 32] = match files[..] {
            [file] => file.sha256(),
            _ => {
                let mut all = Sha256::new();
                for file in &files {
                    all.update(file.sha256());
                }
                all.finalize().into()
            }
        };
        files.iter().try_for_each(|file| file.check_unchanged())?;
        Ok(digest.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes any text");
            text
        }))
    }
}
