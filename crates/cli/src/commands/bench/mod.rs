//! `bench`: how fast a model runs on this machine, and in how much memory.
//!
//! Each length is measured in a process of its own, so that the peak memory that it reports is that length's, with
//! the model in it. The parent asks for one after another and puts the answers together.

mod attention;
mod child;
mod machine;
mod measure;
mod report;
mod serve;
mod spread;
mod text;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use lookback_model::store::DEFAULT_MODEL;

use crate::args::{CheckpointArgs, WeightsArg};
use crate::context::{Context, open, resolve};
use crate::progress::Line;
use crate::{interrupt, output};
use measure::{Kind, Measured, Task};
use report::Report;

const BENCH_EXAMPLES: &str = "\
Examples:
  lookback bench model --quick
  lookback bench attention --json
  lookback bench serve --lengths 2048";

const EXAMPLES: &str = "\
Examples:
  lookback bench model
  lookback bench model --lengths 512,2048 --runs 5 --json
  RAYON_NUM_THREADS=1 CANDLE_NUM_THREADS=1 lookback bench model --quick

RAYON_NUM_THREADS sets the threads of attention and of products on f32 weights, CANDLE_NUM_THREADS those of products
on quantised weights. Set both alike, and keep the machine otherwise idle.

Exit codes: 0 measured, 1 failed, 2 wrong usage, 130 interrupted.";

/// Lengths that are measured, where the model reads as many tokens.
const LENGTHS: [usize; 4] = [128, 512, 2048, 8160];
/// The same in a hurry.
const QUICK_LENGTHS: [usize; 2] = [128, 512];

/// Measure how fast this machine is
#[derive(Debug, Subcommand)]
#[command(after_help = BENCH_EXAMPLES)]
pub(crate) enum BenchCommand {
    Model(BenchModelArgs),
    Attention(attention::BenchAttentionArgs),
    Serve(serve::BenchServeArgs),
}

/// Measure prefill and decode speed, and peak memory, of a model at several depths
///
/// Prefill reads a text in one pass on f32 weights and keeps its trace. Decode adds token after token to a text of
/// the depth given, on quantised and on f32 weights. Every number is the median of some runs in one process, beside
/// the slowest and the fastest of them; one run before them is not counted.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchModelArgs {
    /// A name that `lookback models` lists, a folder, a .gguf file, or hf:OWNER/NAME[/FILE]
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    model: String,
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    /// Numbers of tokens, with commas between
    #[arg(long, value_name = "N,N…", value_delimiter = ',')]
    lengths: Option<Vec<usize>>,
    /// Runs at each length
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
    /// One run at short lengths: a first look, no measurement
    #[arg(long, conflicts_with_all = ["runs", "lengths"])]
    quick: bool,
    /// What a process that the command starts itself is to measure
    #[arg(long, hide = true, value_enum, requires = "length")]
    measure: Option<Kind>,
    #[arg(long, hide = true)]
    length: Option<usize>,
    #[arg(long, hide = true, value_enum, default_value_t = WeightsArg::F32)]
    weights: WeightsArg,
}

/// Runs the command.
pub(crate) fn run(command: &BenchCommand, context: &Context) -> anyhow::Result<()> {
    let args = match command {
        BenchCommand::Model(args) => args,
        BenchCommand::Attention(args) => return attention::run(args, context),
        BenchCommand::Serve(args) => return serve::run(args, context),
    };
    match (args.measure, args.length) {
        (Some(kind), Some(length)) => {
            let task = Task {
                kind,
                length,
                weights: args.weights,
                runs: usize::from(args.runs),
            };
            output::print_json(&measure::run(
                (&args.model, &args.checkpoint),
                &task,
                context,
            )?)
        }
        _ => bench(args, context),
    }
}

fn bench(args: &BenchModelArgs, context: &Context) -> anyhow::Result<()> {
    let resolved = resolve(&args.model)?;
    let checkpoint = open(&resolved, &args.checkpoint)?;
    let model_context = checkpoint.spec().context_length;
    let tasks = tasks(args, model_context)?;
    let path = resolved
        .path
        .to_str()
        .context("the model's path is not UTF-8; measure it from a folder whose name is")?;
    let mut report = Report::new(&resolved, model_context, usize::from(args.runs_each()));
    for (at, task) in tasks.iter().enumerate() {
        let line = Line::spinner(format!(
            "{} of {}: {}",
            at + 1,
            tasks.len(),
            task.describe()
        ));
        let mut arguments = task.arguments(path);
        arguments.extend(args.checkpoint.written());
        let measured: Measured = child::measure(&task.describe(), &arguments)?;
        line.clear();
        interrupt::check()?;
        report.add(task, measured);
    }
    if context.json {
        return output::print_json(&report);
    }
    report.print()
}

impl BenchModelArgs {
    fn runs_each(&self) -> u16 {
        if self.quick { 1 } else { self.runs }
    }
}

/// What is measured, in order. Lengths that were asked for must fit; of the usual ones those that do are taken.
fn tasks(args: &BenchModelArgs, context: usize) -> anyhow::Result<Vec<Task>> {
    let fits = |length: &usize| (1..context).contains(length);
    let usual: &[usize] = match args.quick {
        true => &QUICK_LENGTHS,
        false => &LENGTHS,
    };
    let lengths: Vec<usize> = match &args.lengths {
        None => usual.iter().copied().filter(fits).collect(),
        Some(lengths) => lengths.clone(),
    };
    if let Some(length) = lengths.iter().find(|length| !fits(length)) {
        bail!(
            "length {length} cannot be measured: the model reads {context} tokens, and one must be left to decode; \
             give lengths from 1 to {}",
            context.saturating_sub(1)
        );
    }
    if lengths.is_empty() {
        bail!("the model reads only {context} tokens; give lengths below that with --lengths");
    }
    let runs = usize::from(args.runs_each());
    let task = |kind, weights| {
        lengths.iter().map(move |&length| Task {
            kind,
            length,
            weights,
            runs,
        })
    };
    Ok(task(Kind::Prefill, WeightsArg::F32)
        .chain(task(Kind::Decode, WeightsArg::Quantized))
        .chain(task(Kind::Decode, WeightsArg::F32))
        .collect())
}
