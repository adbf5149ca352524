//! Running a model: prefill, decoding, traces and a layer's internals.

mod attend;
mod cache;
mod hooks;
mod inspect;
mod internals;
mod options;
mod pass;
mod prefill;

pub use cache::KvCache;
pub use hooks::Hooks;
pub use internals::LayerInternals;
pub use options::{Logits, Prefill, PrefillOptions, TraceOptions, Traced};
