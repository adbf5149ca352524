//! `export`: one HTML file that keeps the text view and the map of all heads.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Args;
use lookback_view::page::{Page, PageOptions, Plan};
use serde::Serialize;

use super::source::{Source, SourceArgs};
use crate::context::Context;
use crate::output;
use crate::progress::Spinner;

/// Keep the text view and the map of all heads in one HTML file
#[derive(Debug, Clone, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Where to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace the file if there is one
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Exported<'a> {
    file: &'a Path,
    bytes: u64,
    tokens: usize,
}

/// Runs the command.
pub(crate) fn run(args: &ExportArgs, context: &Context) -> anyhow::Result<()> {
    output::check_destination(&args.output, args.force)?;
    let Source { trace, prefix } = Source::open(&args.source, context)?;
    let spinner = Spinner::start(format!("writing {}", args.output.display()));
    let plan = Plan::new(&trace, &PageOptions::default(), &AtomicBool::new(false))?;
    let page = Page::new(
        &trace,
        &prefix,
        &plan,
        &mut |_, _| ControlFlow::Continue(()),
    )?;
    output::write_file(&args.output, |file| Ok(page.write(file)?))?;
    spinner.finish();
    let bytes = std::fs::metadata(&args.output)?.len();
    output::wrote(
        context.json,
        &Exported {
            file: &args.output,
            bytes,
            tokens: trace.n(),
        },
        &format!(
            "{}: {} tokens, {}; open it in a browser",
            args.output.display(),
            trace.n(),
            output::bytes(bytes)
        ),
    )
}
