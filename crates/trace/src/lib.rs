//! What one run of a model leaves behind: queries, keys and log-sum-exps, from which any weight is recomputed.

mod atomic_write;
mod cancellable;
mod container;
mod error;
mod head;
mod interventions;
mod layer;
mod mean_rows;
mod meta;
mod metadata;
mod open;
mod rounding;
mod row_sum;
mod save;
mod statistics;
mod tensor;
mod trace;
mod validate;
mod walk;
mod word_weights;
pub mod words;

pub use lookback_attention::observe;

pub use atomic_write::write_atomic;
pub use error::Error;
pub use head::Head;
pub use interventions::{Cut, HeadId, InterventionRecord, Patched, Scaled, Site};
pub use layer::Layer;
pub use meta::{Dtype, FORMAT, LayerMeta, Meta, TraceMask};
pub use save::{SaveOptions, Saved, TraceFile};
pub use trace::Trace;
pub use word_weights::WordWeights;
pub use words::{Word, Words};
