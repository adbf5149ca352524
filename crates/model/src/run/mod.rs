//! Running a model: prefill, decoding, traces and a layer's internals.

mod attend;
mod cache;
mod change;
mod hooks;
mod inspect;
mod internals;
mod interventions;
mod options;
mod pass;
mod prefill;
mod weights;

pub use cache::KvCache;
pub use hooks::{Attended, Hooks};
pub use internals::LayerInternals;
pub use interventions::{Interventions, Patch, WithInterventions};
pub use options::{Logits, Prefill, PrefillOptions, TraceOptions, Traced};
pub use weights::AttentionWeights;
