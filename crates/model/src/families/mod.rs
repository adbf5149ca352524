//! Model families: one file each, and what they share (`attention`).
//!
//! A `Family` says how hidden states become queries, keys and values, and how the heads' outputs flow back; the run
//! in between (attention, traces, the cache) is the same for all. A new family is a file beside `llama`, an entry
//! in [`SUPPORTED`] and in `FORMATS`, and an arm in `load`.

mod attention;
mod base;
mod family;
mod llama;
mod parts;
mod pronoun;

use std::sync::Arc;

pub(crate) use family::Family;
pub use parts::AttentionWeights;
pub(crate) use parts::{Activations, HeadsMut, Shape};

use crate::checkpoint::Checkpoint;
use crate::checkpoint::format::Format;
use crate::{Error, WeightsKind};

/// Architectures that this crate implements, by the names that checkpoints use.
pub const SUPPORTED: &[&str] = &["llama", "pronoun"];

/// How the checkpoints of each are written.
pub(crate) const FORMATS: &[&Format] = &[&llama::FORMAT, &pronoun::FORMAT];

/// Loads the weights of a checkpoint of any supported family.
pub(crate) fn load(
    checkpoint: Arc<Checkpoint>,
    kind: WeightsKind,
) -> Result<Box<dyn Family>, Error> {
    match checkpoint.config().architecture {
        "llama" => Ok(Box::new(llama::Llama::load(checkpoint, kind)?)),
        "pronoun" => Ok(Box::new(pronoun::Pronoun::load(checkpoint, kind)?)),
        other => Err(Error::Architecture {
            architecture: other.to_owned(),
        }),
    }
}
