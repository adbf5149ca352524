//! Running a model: prefill, decoding, traces and a layer's internals.

mod attend;
mod cache;
mod heads;
mod hooks;
mod inspect;
mod internals;
mod intervene;
mod interventions;
mod many;
mod options;
mod pass;
mod prefill;
mod weights;

pub use cache::KvCache;
pub use hooks::{Attended, Hooks, WithInterventions};
pub use internals::LayerInternals;
pub use interventions::{Interventions, Patch};
pub use many::Sequence;
pub use options::{Logits, Prefill, PrefillOptions, TraceOptions, Traced};
