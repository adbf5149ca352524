//! Transformer checkpoints in, logits and a trace out.
//!
//! [`Model`] is the principal type: [`Model::load`] opens a Hugging Face folder or a GGUF file,
//! [`Model::prefill`] reads a text in one pass, [`Model::trace`] keeps what any question about its attention
//! weights needs, [`Model::inspect`] shows one layer from the inside, and [`Model::generate`] writes on.
//! The tensor library (candle) does the matrix products; attention is [`lookback_attention`]'s.

pub mod chat;
pub mod checkpoint;
mod engine;
mod error;
pub mod families;
pub mod generate;
mod layers;
mod load_options;
mod model;
mod printable;
mod run;
pub mod spec;
pub mod store;
mod threads;
pub mod tokenizer;

pub use engine::AttentionWeights;
pub use error::Error;
pub use load_options::{LoadOptions, WeightsKind};
pub use lookback_trace::{printable, printable_message, quoted, write_atomic};
pub use model::Model;
pub use run::{
    Attended, Hooks, Interventions, KvCache, LayerInternals, Logits, Patch, Prefill,
    PrefillOptions, Sequence, TraceOptions, Traced, WithInterventions,
};
pub use threads::{Threads, threads};
pub use tokenizer::{Encoding, Prefix};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
