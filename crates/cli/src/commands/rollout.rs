//! `rollout`: how much of each word is left in a word after all layers.

use std::io::Write as _;

use clap::Args;
use lookback_heads::rollout::rollout;
use lookback_heads::{WordName, interest, label, label_of};
use lookback_model::WeightsKind;
use lookback_trace::Trace;
use lookback_view::table::Table;
use lookback_view::terminal::write_table;
use ndarray::{Array1, s};
use serde::Serialize;

use crate::args::{InterventionArgs, ModelArgs, TextArgs};
use crate::context::Context;
use crate::output;
use crate::run::InputSize;

const EXAMPLES: &str = "\
Examples:
  lookback rollout \"Vatsal studies a lot, Madd does not. Yet he gets high scores in test.\" --word he
  lookback rollout --file essay.txt --word she#2 --json

Every head counts alike, and the residual stream as much as all heads together: docs/heads.md says how that misleads.";

/// Follow the weights through all layers: how much of each word reaches a word (attention rollout)
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RolloutArgs {
    #[command(flatten)]
    text: TextArgs,
    /// The word that is asked about, or WORD#n for its nth occurrence [default: the first pronoun, else the last word]
    #[arg(long, value_name = "WORD")]
    word: Option<WordName>,
    /// How many words are listed
    #[arg(long, value_name = "K", default_value_t = 20)]
    top: usize,
    #[command(flatten)]
    interventions: InterventionArgs,
    #[command(flatten)]
    model: ModelArgs,
}

/// The answer as JSON.
#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    model: &'a str,
    text: &'a str,
    word: String,
    /// What is intervened on.
    #[serde(skip_serializing_if = "Option::is_none")]
    interventions: Option<String>,
    #[serde(flatten)]
    size: InputSize,
    /// Rollout on the prefix.
    prefix_rollout: f64,
    words: &'a [WordShare],
}

/// One word's part.
#[derive(Serialize)]
struct WordShare {
    word: String,
    index: usize,
    rollout: f64,
    /// Of the rollout that does not lie on the prefix.
    share: f64,
    /// Of the plain mean of weights over all heads, for comparison.
    mean_weight: f64,
}

/// Runs the command.
pub(crate) fn run(args: &RolloutArgs, context: &Context) -> anyhow::Result<()> {
    let text = args.text.read()?;
    let loaded = context.load(args.model.name(), &args.model.checkpoint, WeightsKind::F32)?;
    let run = context.prepare(&loaded, &text, &args.model, &args.interventions)?;
    let (encoding, words) = (&run.encoding, run.words());
    let asked = interest(&encoding.text, &words, args.word.as_slice())?.swap_remove(0);
    let tokens = |word: usize| words.get(word).map_or(0..0, |word| word.tokens.clone());
    let rows = tokens(asked.start).start..tokens(asked.end - 1).end;
    let trace = run.trace()?;
    let rolled = rollout(&trace, rows.clone())?;
    let mean = mean_weights(&trace, rows)?;
    let of = |values: &Array1<f64>, tokens: std::ops::Range<usize>| values.slice(s![tokens]).sum();
    let prefix = of(&rolled, 0..encoding.prefix_tokens);
    let behind = rolled.slice(s![encoding.prefix_tokens..]).sum();
    // Words that no row sees in any layer have nothing of it.
    let seen = words.iter().enumerate();
    let seen = seen.take_while(|(index, word)| {
        *index < asked.end || rolled.slice(s![word.tokens.start..]).sum() > 0.0
    });
    let shares: Vec<WordShare> = seen
        .map(|(index, word)| WordShare {
            word: label(&words, index),
            index,
            rollout: of(&rolled, word.tokens.clone()),
            share: of(&rolled, word.tokens.clone()) / behind,
            mean_weight: of(&mean, word.tokens.clone()),
        })
        .collect();
    let report = Report {
        format: "lookback-rollout/2",
        model: &loaded.resolved.name,
        text: &encoding.text,
        word: label_of(&encoding.text, &words, &asked),
        interventions: args.interventions.describe(),
        size: run.size(),
        prefix_rollout: prefix,
        words: &shares,
    };
    if context.json {
        return output::print_json(&report);
    }
    print(args, &report, context)
}

/// The mean of the rows' weights over all heads: \[N\].
fn mean_weights(trace: &Trace, rows: std::ops::Range<usize>) -> anyhow::Result<Array1<f64>> {
    let mut sum = Array1::zeros(trace.n());
    let mut heads = 0;
    for head in trace.heads() {
        let head = trace.head(head.layer, head.head)?;
        sum += &head.mean_row(rows.clone())?.mapv(f64::from);
        heads += 1;
    }
    Ok(sum / f64::from(heads.max(1)))
}

fn print(args: &RolloutArgs, report: &Report, context: &Context) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.text("word", report.words.iter().map(|w| w.word.clone()));
    table.real("share", report.words.iter().map(|w| w.share));
    table.real("mean_weight", report.words.iter().map(|w| w.mean_weight));
    let sorted = table.sorted_by("share").unwrap_or_default().head(args.top);
    let (word, model) = (&report.word, report.model);
    let interventions = report.interventions.as_ref();
    let interventions = interventions.map_or(String::new(), |what| format!(", {what}"));
    let heading = match report.size.prefix_tokens > 0 {
        true => format!(
            "Rollout of “{word}” through all layers of {model}{interventions}: {:.3}% ends at the prefix. That is its \
             nature, whatever the text: heads put most of their weight on the sink, and rollout multiplies it layer by \
             layer. Share: of what does not end there. Mean weight: of all heads on the word, without rollout.",
            100.0 * report.prefix_rollout
        ),
        false => format!(
            "Rollout of “{word}” through all layers of {model}{interventions}, with no prefix: most of it ends at the \
             first word, which acts as the sink, whatever the text. Share: of all of it. Mean weight: of all heads on \
             the word, without rollout."
        ),
    };
    let mut out = output::stdout();
    write_table(&mut out, &heading, &sorted, context.width())?;
    out.flush()?;
    Ok(())
}
