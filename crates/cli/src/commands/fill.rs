//! `fill`: predictions of masked words.

use std::io::Write as _;

use clap::Args;
use lookback_heads::fill::{Masked, fill};
use lookback_model::WeightsKind;
use serde::Serialize;

use crate::args::{InterventionArgs, ModelArgs, TextArgs};
use crate::context::Context;
use crate::output;
use crate::run::InputSize;

const EXAMPLES: &str = "\
Examples:
  lookback fill \"Tom thanked Ann because [MASK] helped.\" --model hf:google-bert/bert-base-uncased
  lookback fill \"Paris is the <mask> of France.\" --model hf:FacebookAI/roberta-base --top 10 --json

The text spells the model's own mask. Models that write on have none: ask those with lookback generate.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.";

/// Predict masked words, with a model that was trained to (BERT and its relatives)
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FillArgs {
    #[command(flatten)]
    text: TextArgs,
    /// How many words are listed for each mask
    #[arg(long, value_name = "K", default_value_t = 5)]
    top: usize,
    #[command(flatten)]
    interventions: InterventionArgs,
    #[command(flatten)]
    model: ModelArgs,
}

/// The answer as JSON: see `docs/json/fill.md`.
#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    model: &'a str,
    text: &'a str,
    #[serde(flatten)]
    size: InputSize,
    #[serde(skip_serializing_if = "Option::is_none")]
    interventions: Option<String>,
    masks: &'a [Masked],
}

/// Runs the command.
pub(crate) fn run(args: &FillArgs, context: &Context) -> anyhow::Result<()> {
    let text = args.text.read()?;
    let loaded = context.load(args.model.name(), &args.model.checkpoint, WeightsKind::F32)?;
    let run = context.prepare(&loaded, &text, &args.model, &args.interventions)?;
    let progress = run.progress();
    let hooks = run.interventions.and(&progress);
    let masks = fill(&loaded.model, &run.encoding, args.top, &hooks)?;
    drop(progress);
    if context.json {
        return output::print_json(&Report {
            format: "lookback-fill/1",
            model: loaded.name(),
            text: &run.encoding.text,
            size: run.size(),
            interventions: args.interventions.describe(),
            masks: &masks,
        });
    }
    let mut out = output::stdout();
    for (number, mask) in masks.iter().enumerate() {
        if masks.len() > 1 {
            writeln!(out, "mask {} (token {}):", number + 1, mask.token)?;
        }
        for filling in &mask.candidates {
            let text = output::one_line(&filling.text);
            writeln!(out, "{:>6.1}%  {text}", 100.0 * filling.probability)?;
        }
    }
    out.flush()?;
    Ok(())
}
