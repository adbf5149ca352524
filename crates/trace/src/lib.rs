//! What one run of a model leaves behind: queries, keys and log-sum-exps, from which any weight is recomputed.

mod aside;
mod check;
mod container;
mod edits;
mod error;
mod head;
mod layer;
mod mean_rows;
mod meta;
mod metadata;
mod open;
mod rounding;
mod save;
mod sound;
mod statistics;
mod tensor;
mod trace;
mod until;
mod walk;
mod word_weights;
pub mod words;

pub use lookback_attention::observe;

pub use aside::write_aside;
pub use edits::{Cut, Edits, HeadId, Patched, Scaled, Site};
pub use error::Error;
pub use head::Head;
pub use layer::Layer;
pub use meta::{Dtype, FORMAT, LayerMeta, Meta, TraceMask};
pub use save::{SaveOptions, Saved, TraceFile};
pub use trace::Trace;
pub use word_weights::WordWeights;
pub use words::{Word, Words};
