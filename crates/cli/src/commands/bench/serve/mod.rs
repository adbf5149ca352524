//! `bench serve`: how fast the page is answered, and in how much memory.
//!
//! Each length is measured in two processes of their own: one with the model, which reads the text and keeps its trace
//! in a file, and one that serves that file without the model.

mod client;
mod measure;
mod report;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use lookback_model::store::DEFAULT_MODEL;

use super::child::{self, written};
use crate::args::CheckpointArgs;
use crate::context::{Context, open, resolve};
use crate::output::count;
use crate::progress::Line;
use crate::{interrupt, output};
use report::Report;

const EXAMPLES: &str = "\
Examples:
  lookback bench serve
  lookback bench serve --lengths 2048 --json
  RAYON_NUM_THREADS=2 CANDLE_NUM_THREADS=2 lookback bench serve

Keep the machine otherwise idle. At 8,192 tokens it takes about a minute and 1.7 GB of memory.

Exit codes: 0 measured, 1 failed, 2 wrong usage, 130 interrupted.";

/// Lengths that are measured, where the model reads as many tokens.
const LENGTHS: [usize; 2] = [2048, 8192];

/// Measure how fast the page of `lookback serve` is answered, and in how much memory
///
/// Everything is asked over the server's socket, nothing twice, so that no answer comes from what is kept.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchServeArgs {
    /// A name that `lookback models` lists, a folder, a .gguf file, or hf:OWNER/NAME[/FILE]
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    model: String,
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    /// Numbers of tokens, with commas between
    #[arg(long, value_name = "N,N…", value_delimiter = ',')]
    lengths: Option<Vec<usize>>,
    /// Heads that are asked for a tile at each zoom
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=1000))]
    tiles: u16,
    /// What a process that the command starts itself is to measure
    #[arg(long, hide = true, value_enum, requires_all = ["length", "trace"])]
    measure: Option<Kind>,
    #[arg(long, hide = true)]
    length: Option<usize>,
    #[arg(long, hide = true)]
    trace: Option<PathBuf>,
}

/// What is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The model, which reads the text.
    Model,
    /// A trace without the model.
    Trace,
}

/// Runs the command.
pub(super) fn run(args: &BenchServeArgs, context: &Context) -> anyhow::Result<()> {
    let (Some(kind), Some(length), Some(trace)) = (args.measure, args.length, &args.trace) else {
        return bench(args, context);
    };
    let tiles = usize::from(args.tiles);
    output::print_json(&match kind {
        Kind::Model => {
            let model = (args.model.as_str(), &args.checkpoint);
            measure::with_model(model, length, (trace, tiles), context)?
        }
        Kind::Trace => measure::with_trace(trace, tiles)?,
    })
}

fn bench(args: &BenchServeArgs, context: &Context) -> anyhow::Result<()> {
    let resolved = resolve(&args.model)?;
    let checkpoint = open(&resolved, &args.checkpoint)?;
    let most = checkpoint.spec().context_length;
    let lengths = lengths(args, most)?;
    let path = resolved
        .path
        .to_str()
        .context("the model's path is not UTF-8; measure it from a folder whose name is")?;
    let folder = tempfile::tempdir().context("no temporary folder could be made")?;
    let file = folder.path().join("trace.safetensors");
    let trace = file
        .to_str()
        .context("the temporary folder's path is not UTF-8; name another in TMPDIR")?;
    let mut report = Report::new(&resolved);
    for length in lengths {
        for kind in [Kind::Model, Kind::Trace] {
            let what = match kind {
                Kind::Model => format!("{}, with the model", count(length, "token")),
                Kind::Trace => format!("{}, the trace alone", count(length, "token")),
            };
            let line = Line::spinner(what.clone());
            let (kind, tiles, of) = (written(kind), args.tiles.to_string(), length.to_string());
            let arguments = [
                "serve",
                "--json",
                "--model",
                path,
                "--measure",
                &kind,
                "--length",
                &of,
                "--trace",
                trace,
                "--tiles",
                &tiles,
            ];
            let written = args.checkpoint.written();
            let arguments: Vec<&str> = (arguments.into_iter())
                .chain(written.iter().map(String::as_str))
                .collect();
            report.add(child::measure(&what, &arguments)?);
            line.clear();
            interrupt::check()?;
        }
    }
    if context.json {
        return output::print_json(&report);
    }
    report.print()
}

/// Lengths that were asked for must fit; of the usual ones those that do are taken.
fn lengths(args: &BenchServeArgs, most: usize) -> anyhow::Result<Vec<usize>> {
    let fits = |length: &usize| (16..=most).contains(length);
    let lengths: Vec<usize> = match &args.lengths {
        None => LENGTHS.into_iter().filter(fits).collect(),
        Some(lengths) => lengths.clone(),
    };
    if let Some(length) = lengths.iter().find(|length| !fits(length)) {
        bail!("length {length} cannot be measured: give lengths from 16 to {most}");
    }
    if lengths.is_empty() {
        bail!("the model reads only {most} tokens; give lengths up to that with --lengths");
    }
    Ok(lengths)
}
