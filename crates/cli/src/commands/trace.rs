//! `trace`: keeps what one run leaves behind in a file.

use clap::Args;

use crate::args::{ModelArgs, TextArgs};
use crate::context::Context;

/// Save what a model's heads did on a text to a file
#[derive(Debug, Clone, Args)]
pub(crate) struct TraceArgs {
    #[command(flatten)]
    pub(crate) text: TextArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// Runs the command.
pub(crate) fn run(_args: &TraceArgs, _context: &Context) -> anyhow::Result<()> {
    unimplemented!()
}
