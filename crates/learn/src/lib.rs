//! Training: what can attention heads learn over frozen embeddings?
//!
//! [`attend()`](attention::attend) is the fused attention of [`lookback_attention`] as an operation of candle's
//! autograd; [`Pointer`](model::Pointer) is the notes' stack of attention layers on top of it, whose last layer points from
//! a pronoun to a name; [`sentences`] writes what it learns from.

pub mod accuracy;
pub mod attention;
mod base;
pub mod batch;
mod checkpoint;
mod config;
mod error;
pub mod evaluation_set;
pub mod file;
pub mod inference;
pub mod memory;
mod metrics;
pub mod model;
pub mod norm;
pub mod optimizer;
mod parameters;
pub mod project;
mod record;
pub mod rotary;
pub mod sentences;
mod settings;
pub mod study;
mod timing;
pub mod train;
mod values;
mod vocabulary;

pub use base::{Base, vocabulary};
pub use config::Config;
pub use error::Error;
pub use parameters::Parameters;
pub use timing::Timing;
pub use vocabulary::Vocabulary;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
