//! What one run of a model leaves behind: queries, keys and log-sum-exps, from which any weight is recomputed.

mod edits;
mod error;
mod layer;
mod meta;
mod trace;
/// The words of a text.
pub mod words;

pub use edits::{Cut, Edits, HeadId, Scaled};
pub use error::Error;
pub use layer::Layer;
pub use meta::{Dtype, FORMAT, LayerMeta, Meta, TraceMask};
pub use trace::{SaveOptions, Saved, Trace, WordWeights};
pub use words::{Word, Words};
