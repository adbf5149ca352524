//! The form of a file of weights.

use std::path::Path;

use super::error::Error;

/// The form of a file of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One array.
    Npy,
    /// A table with a row a weight.
    Parquet,
}

impl Form {
    /// What a file's ending asks for.
    ///
    /// # Errors
    /// [`Error::Ending`].
    pub fn of(path: &Path) -> Result<Self, Error> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match ending.map(str::to_lowercase).as_deref() {
            Some("npy") => Ok(Self::Npy),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(Error::Ending {
                path: path.to_owned(),
            }),
        }
    }
}
