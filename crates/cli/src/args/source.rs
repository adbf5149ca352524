//! What is looked into: a text that is read now, or a trace that was kept.

use std::path::PathBuf;

use clap::Args;

use super::interventions::InterventionArgs;
use super::model::ModelArgs;
use super::text::TextArgs;

/// A text and the model that reads it, or a trace.
#[derive(Debug, Clone, Args)]
pub(crate) struct SourceArgs {
    #[command(flatten)]
    pub(crate) text: TextArgs,
    /// Take a trace that `lookback trace` kept instead of reading a text; no model is needed
    #[arg(
        long,
        value_name = "FILE",
        group = "TextArgs",
        conflicts_with_all = ["model", "prefix", "truncate", "pre_tokenizer", "accept_keys", "base", "ablate", "cut", "mean_over"]
    )]
    pub(crate) trace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) interventions: InterventionArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}
