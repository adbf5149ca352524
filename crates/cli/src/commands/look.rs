//! `look`: what words look back at, over all heads.

use clap::Args;

use crate::args::{ModelArgs, TextArgs};
use crate::context::Context;

/// Show what words look back at, over all heads
#[derive(Debug, Clone, Args)]
pub(crate) struct LookArgs {
    #[command(flatten)]
    pub(crate) text: TextArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// Runs the command.
pub(crate) fn run(_args: &LookArgs, _context: &Context) -> anyhow::Result<()> {
    unimplemented!()
}
