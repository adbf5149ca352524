//! What every command's arguments are made of. Nothing here knows a command, loads a model or prints.

mod checkpoint;
mod global;
mod interventions;
mod model;
mod source;
mod text;

use std::num::NonZeroUsize;

pub(crate) use checkpoint::CheckpointArgs;
pub(crate) use global::GlobalArgs;
pub(crate) use interventions::{InterventionArgs, ReferenceArgs};
pub(crate) use model::{ModelArgs, PrefixArg, WeightsArg};
pub(crate) use source::SourceArgs;
pub(crate) use text::{TextArgs, read_file};

/// Reads how many of something are wanted.
pub(crate) fn at_least_one(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "give a whole number from 1 on")
}
