//! What one run of a model leaves behind: queries, keys and log-sum-exps, from which any weight is recomputed.

mod atomic_write;
mod cancellable;
mod container;
mod error;
mod head;
mod ids;
mod interventions;
mod layer;
mod lse;
mod mapped_file;
mod mean_rows;
mod meta;
mod metadata;
mod observing;
mod open;
mod precision;
mod printable;
mod rounding;
mod row_sum;
mod save;
mod scoring_record;
mod shapes;
mod statistics;
mod tensor;
mod trace;
mod unfinished;
mod validate;
mod version;
mod word_weights;
pub mod words;

pub use lookback_attention::{KeyRanges, Mask, Scoring, observe};

pub use atomic_write::write_atomic;
pub use error::Error;
pub use head::Head;
pub use interventions::{Cut, HeadId, InterventionRecord, Patched, Scaled, Site};
pub use layer::Layer;
pub use mapped_file::{FileStamp, MappedFile, explain_bus_errors};
pub use meta::{Dtype, KeyTokens, Meta, OtherLayer, PREFIX_NAME, SUFFIX_NAME};
pub use precision::Precision;
pub use printable::{printable, printable_message, quoted};
pub use save::{SaveOptions, SaveProgress, Saved, TraceFile};
pub use scoring_record::{MaskRecord, MaskRecords, RangesRecord};
pub use shapes::LayerShape;
pub use trace::Trace;
pub use unfinished::{is_unfinished, sync_folder};
pub use version::Version;
pub use word_weights::WordWeights;
pub use words::{Word, Words};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
