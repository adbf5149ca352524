//! `bench`: how fast a model runs on this machine.

use clap::{Args, Subcommand};
use lookback_model::store::DEFAULT_MODEL;

use crate::context::Context;

/// Measure how fast this machine is
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    Model(BenchModelArgs),
}

/// Measure prefill and decode speed of a model at several depths
#[derive(Debug, Clone, Args)]
pub(crate) struct BenchModelArgs {
    /// A name that `lookback models` lists, a folder, a .gguf file, or hf:OWNER/NAME[/FILE]
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    pub(crate) model: String,
}

/// Runs the command.
pub(crate) fn run(_command: &BenchCommand, _context: &Context) -> anyhow::Result<()> {
    unimplemented!()
}
