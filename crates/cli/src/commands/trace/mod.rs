//! `trace`: keeps a run's trace in a file, and says what such a file holds.

mod contents;
mod info;
mod summary;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Subcommand, ValueEnum};
use lookback_model::{TraceOptions, WeightsKind};
use lookback_trace::{Dtype, SaveOptions, Trace};

use crate::args::{InterventionArgs, ModelArgs, TextArgs};
use crate::context::Context;
use crate::progress::Line;
use crate::{interrupt, output};
use summary::Summary;

const EXAMPLES: &str = "\
Examples:
  lookback trace \"Tom thanked Ann because she helped.\" -o she.safetensors
  lookback trace --file essay.txt -o essay.safetensors --dtype f16
  lookback trace info essay.safetensors

The file is one safetensors file in the format lookback-trace, of version 1 where that suffices, else of version 2; the model
is not needed to read it.

Exit codes: 0 saved, 1 failed, 2 wrong usage, 130 interrupted (nothing is left half-written).";

/// Save what a model's heads did on a text to a file
///
/// The file keeps every layer's queries, keys and log-sum-exps. Any attention weight is recomputed from them, so
/// that the file grows with the text's length, not with its square.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct TraceArgs {
    #[command(subcommand)]
    command: Option<TraceCommand>,
    #[command(flatten)]
    text: TextArgs,
    /// The file to write
    #[arg(short, long, value_name = "FILE", required = true)]
    output: Option<PathBuf>,
    /// How queries and keys are stored; f16 and bf16 halve the file and say how much weights change
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = DtypeArg::F32)]
    dtype: DtypeArg,
    /// Keep the values (V) too, which weights do not need; the summary says their size
    #[arg(long)]
    values: bool,
    /// Replace the file if there is one
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    interventions: InterventionArgs,
    #[command(flatten)]
    model: ModelArgs,
}

/// What else can be done with trace files.
#[derive(Debug, Clone, Subcommand)]
enum TraceCommand {
    Info(info::InfoArgs),
}

/// A [`Dtype`] as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DtypeArg {
    F32,
    F16,
    Bf16,
}

impl From<DtypeArg> for Dtype {
    fn from(dtype: DtypeArg) -> Self {
        match dtype {
            DtypeArg::F32 => Self::F32,
            DtypeArg::F16 => Self::F16,
            DtypeArg::Bf16 => Self::Bf16,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &TraceArgs, context: &Context) -> anyhow::Result<()> {
    match (&args.command, &args.output) {
        (Some(TraceCommand::Info(args)), _) => info::run(args, context),
        (None, Some(file)) => save(args, file, context),
        (None, None) => unreachable!("clap asks for --output"),
    }
}

fn save(args: &TraceArgs, file: &Path, context: &Context) -> anyhow::Result<()> {
    // Before the work, not after it.
    output::check_destination(file, args.force)?;
    let text = args.text.read()?;
    let loaded = context.load(args.model.name(), &args.model.checkpoint, WeightsKind::F32)?;
    let run = context.prepare(&loaded, &text, &args.model, &args.interventions)?;
    let options = TraceOptions {
        keep_v: args.values,
        model_sha256: Some(loaded.sha256()?),
        ..loaded.trace_options()
    };
    let start = Instant::now();
    let trace = run.trace_with(&options)?;
    let options = SaveOptions {
        qk_dtype: args.dtype.into(),
        values: args.values,
    };
    write(&trace, file, &options)?;
    let seconds = start.elapsed().as_secs_f64();
    // What is said is what a reader of the file finds.
    let summary = Summary::open(file)?.after(seconds);
    if context.json {
        return output::print_json(&summary);
    }
    summary.print("saved")
}

fn write(trace: &Trace, file: &Path, options: &SaveOptions) -> anyhow::Result<()> {
    let _graceful = interrupt::graceful();
    let line = Line::saving(file);
    trace.save_with(file, options, &mut |progress| {
        line.saved(progress);
        interrupt::flow()
    })?;
    Ok(())
}
