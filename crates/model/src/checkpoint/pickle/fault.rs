//! What is wrong with a state dictionary.

/// What is wrong with a state dictionary, in words.
#[derive(Debug)]
pub(super) struct Fault(pub(super) String);

impl Fault {
    pub(super) fn new(detail: impl Into<String>) -> Self {
        Self(detail.into())
    }
}
