//! `trace info`: what a trace file holds.

use std::path::PathBuf;

use clap::Args;

use super::summary::Summary;
use crate::context::Context;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  lookback trace info essay.safetensors
  lookback trace info essay.safetensors --json";

/// Show what a trace file holds; its model is not needed
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InfoArgs {
    /// The trace file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs the command.
pub(super) fn run(args: &InfoArgs, context: &Context) -> anyhow::Result<()> {
    let summary = Summary::open(&args.file)?;
    if context.json {
        return output::print_json(&summary);
    }
    summary.print("a trace")
}
