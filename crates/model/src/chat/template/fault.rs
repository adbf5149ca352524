//! Why a template could not be rendered.

use std::fmt;

/// One line that says what was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault(pub(super) String);

pub(super) type Result<T> = std::result::Result<T, Fault>;

/// A fault as a result.
pub(super) fn fault<T>(detail: impl Into<String>) -> Result<T> {
    Err(Fault(detail.into()))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
