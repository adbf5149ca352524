//! The small files of a folder: configurations, indices, templates.

use std::path::Path;

use serde_json::Value;

use super::Error;

/// Far beyond any real config.json, index or template.
pub(super) const SMALL_FILE: u64 = 64 << 20;

/// A text file of at most `limit` bytes.
pub(super) fn read_text(path: &Path, limit: u64) -> Result<String, Error> {
    let at = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let metadata = std::fs::metadata(path).map_err(at)?;
    if !metadata.is_file() {
        return Err(Error::NotAFile {
            path: path.to_owned(),
        });
    }
    if metadata.len() > limit {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            size: metadata.len(),
            limit,
        });
    }
    std::fs::read_to_string(path).map_err(at)
}

/// A JSON file.
pub(super) fn read_json(path: &Path) -> Result<Value, Error> {
    serde_json::from_str(&read_text(path, SMALL_FILE)?).map_err(|error| Error::Json {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

/// A JSON file that need not be there.
pub(super) fn read_optional_json(path: &Path) -> Result<Value, Error> {
    if path.exists() {
        read_json(path)
    } else {
        Ok(Value::Null)
    }
}
