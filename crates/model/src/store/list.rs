//! What is on this machine already.

use std::path::PathBuf;

use serde::Serialize;

/// Where a model's files lie, or would lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A model known by its short name, in this program's cache.
    Known,
    /// Fetched from the Hugging Face hub into this program's cache.
    Hub,
    /// In the cache that Hugging Face's own tools share.
    SharedHubCache,
}

/// A model that can be named, and whether it is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What to write after `--model`.
    pub name: String,
    /// Whether it is used where no model is given.
    pub default: bool,
    /// Whether it can be used without fetching anything.
    pub ready: bool,
    /// Where its files lie, or will lie.
    pub path: PathBuf,
    /// Bytes of its files on disk; of one not fetched yet, how many there will be.
    pub bytes: u64,
    /// Whose cache it lies in.
    pub origin: Origin,
    /// What it is, where that is known.
    pub title: Option<String>,
    /// SPDX identifier of its licence, where that is known.
    pub license: Option<String>,
}
