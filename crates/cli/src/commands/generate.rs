//! `generate`: continues a text, or answers it.

use clap::Args;

use crate::args::{ModelArgs, TextArgs};
use crate::context::Context;

/// Continue a text, or answer it
#[derive(Debug, Clone, Args)]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    pub(crate) text: TextArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// Runs the command.
pub(crate) fn run(_args: &GenerateArgs, _context: &Context) -> anyhow::Result<()> {
    unimplemented!()
}
