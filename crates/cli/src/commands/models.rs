//! `models`: which models there are.

use clap::Args;

use crate::context::Context;

/// List the models that are here
#[derive(Debug, Clone, Args)]
pub(crate) struct ModelsArgs {}

/// Runs the command.
pub(crate) fn run(_args: &ModelsArgs, _context: &Context) -> anyhow::Result<()> {
    unimplemented!()
}
