//! GGUF files: one file with metadata, vocabulary and (quantised) tensors.
//!
//! The layout is that of the format's specification,
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3. A file is
//! taken to be hostile: every count, length and offset is checked against the file's size
//! before it is believed, and nothing is allocated on its word alone.

mod cursor;
mod error;
mod header;
mod types;
mod value;

use std::path::Path;

pub use error::GgufError;
pub(crate) use header::TensorInfo;
pub(crate) use value::{Array, Value};

use super::Error;
use super::map::MappedFile;
use header::Header;

/// An open GGUF file.
pub(crate) struct GgufFile {
    file: MappedFile,
    header: Header,
}

impl GgufFile {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = MappedFile::open(path)?;
        let header = Header::parse(file.bytes()).map_err(|source| Error::Gguf {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self { file, header })
    }

    /// Its tensors.
    pub(crate) fn tensors(&self) -> &[TensorInfo] {
        &self.header.tensors
    }

    /// All tensors, and the map that they lie in.
    pub(crate) fn into_tensors(self) -> (MappedFile, Vec<TensorInfo>) {
        (self.file, self.header.tensors)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.header
            .metadata
            .iter()
            .map(|(key, value)| (key.as_str(), value))
    }

    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        self.header.metadata.get(key)
    }

    /// A text, if the key is there.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>, GgufError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(key, "a text", other)),
        }
    }

    /// A truth value, if the key is there.
    pub(crate) fn bool(&self, key: &str) -> Result<Option<bool>, GgufError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(wrong_type(key, "true or false", other)),
        }
    }

    /// A token id, if the key is there. Files write "none" as −1 or as the largest u32.
    pub(crate) fn token(&self, key: &str) -> Result<Option<u32>, GgufError> {
        match self.value(key) {
            None | Some(Value::Signed(-1)) => Ok(None),
            Some(Value::Unsigned(id)) if *id == u64::from(u32::MAX) => Ok(None),
            Some(Value::Unsigned(id)) if *id < u64::from(u32::MAX) => Ok(Some(*id as u32)),
            Some(Value::Signed(id)) if (0..i64::from(i32::MAX)).contains(id) => {
                Ok(Some(*id as u32))
            }
            Some(other) => Err(wrong_type(key, "a token id", other)),
        }
    }

    /// An array of texts, if the key is there.
    pub(crate) fn texts(&self, key: &str) -> Result<Option<Vec<&str>>, GgufError> {
        self.array(key, "an array of texts", |array| {
            array.texts(self.file.bytes()).map(Iterator::collect)
        })?
        .transpose()
    }

    /// An array of 32-bit integers, if the key is there.
    pub(crate) fn integers(&self, key: &str) -> Result<Option<Vec<i64>>, GgufError> {
        self.array(key, "an array of 32-bit integers", |array| {
            array.integers(self.file.bytes())
        })
    }

    /// An array of bytes, if the key is there.
    pub(crate) fn octets(&self, key: &str) -> Result<Option<&[u8]>, GgufError> {
        self.array(key, "an array of bytes", |array| {
            array.octets(self.file.bytes())
        })
    }

    /// An array of f32, if the key is there.
    pub(crate) fn floats(&self, key: &str) -> Result<Option<Vec<f32>>, GgufError> {
        self.array(key, "an array of f32", |array| {
            array.floats(self.file.bytes())
        })
    }

    fn array<T>(
        &self,
        key: &str,
        expected: &'static str,
        read: impl Fn(&Array) -> Option<T>,
    ) -> Result<Option<T>, GgufError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let found = match value {
            Value::Array(array) => read(array),
            _ => None,
        };
        found
            .map(Some)
            .ok_or_else(|| wrong_type(key, expected, value))
    }
}

fn wrong_type(key: &str, expected: &'static str, found: &Value) -> GgufError {
    GgufError::WrongType {
        key: key.to_owned(),
        expected,
        found: found.describe(),
    }
}
