//! `explain`: the notes on attention, walked through with a real model's numbers.

use clap::Args;

use crate::args::{ModelArgs, TextArgs};
use crate::context::Context;

/// Walk through one head step by step, with its real numbers
#[derive(Debug, Clone, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) text: TextArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// Runs the command.
pub(crate) fn run(_args: &ExplainArgs, _context: &Context) -> anyhow::Result<()> {
    unimplemented!()
}
