//! Running a model: prefill, decoding, traces and a layer's internals.

mod cache;
mod hooks;
mod internals;
mod options;

pub use cache::KvCache;
pub use hooks::Hooks;
pub use internals::LayerInternals;
pub use options::{Logits, Prefill, PrefillOptions, TraceOptions, Traced};
