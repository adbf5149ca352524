//! `rollout`: how much of each word is left in a word after all layers.

use std::io::Write as _;

use clap::Args;
use lookback_heads::rollout::rollout;
use lookback_heads::{WordName, interest, label, label_of};
use lookback_model::WeightsKind;
use lookback_trace::{Trace, Words};
use lookback_view::table::Table;
use lookback_view::terminal::write_table;
use ndarray::{Array1, s};
use serde::Serialize;

use crate::args::{ModelArgs, TextArgs};
use crate::commands::heads;
use crate::context::Context;
use crate::interventions::InterventionArgs;
use crate::output;

const EXAMPLES: &str = "\
Example:
  lookback rollout \"Vatsal studies a lot, Madd does not. Yet he gets high scores in test.\" --word he

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
    changes: InterventionArgs,
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
    /// Rollout on the prefix.
    prefix: f64,
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
    let text = context.text(&args.text)?;
    let loaded = context.load(&args.model.model, WeightsKind::F32)?;
    let (encoding, changes) = args
        .changes
        .encode(&text, &loaded.model, &args.model, context)?;
    let words = Words::new(&encoding.text, &encoding.spans);
    let asked: Vec<WordName> = args.word.iter().cloned().collect();
    let asked = interest(&encoding.text, &words, &asked)?.swap_remove(0);
    let tokens = |word: usize| words.get(word).map_or(0..0, |word| word.tokens.clone());
    let rows = tokens(asked.start).start..tokens(asked.end - 1).end;
    let trace = {
        let reading = context.reading(encoding.ids.len());
        heads::trace(&loaded, &encoding, &changes.and(&reading))?
    };
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
        format: "lookback-rollout/1",
        model: &loaded.resolved.name,
        text: &encoding.text,
        word: label_of(&encoding.text, &words, &asked),
        prefix,
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
    for layer in 0..trace.layer_count() {
        for head in 0..trace.head_count(layer) {
            sum += &trace
                .head(layer, head)?
                .mean_row(rows.clone())?
                .mapv(f64::from);
            heads += 1;
        }
    }
    Ok(sum / f64::from(heads.max(1)))
}

fn print(args: &RolloutArgs, report: &Report, context: &Context) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.text("word", report.words.iter().map(|w| w.word.clone()));
    table.real("share", report.words.iter().map(|w| w.share));
    table.real("mean_weight", report.words.iter().map(|w| w.mean_weight));
    let sorted = table.sorted_by("share").unwrap_or_default().head(args.top);
    let heading = match report.prefix > 0.0 {
        true => format!(
            "Rollout of “{}” through all layers of {}: {:.3}% ends at the prefix. That is its nature, whatever the text: heads \
             put most of their weight on the sink, and rollout multiplies it layer by layer. Share: of what does not end \
             there. Mean weight: of all heads on the word, without rollout.",
            report.word,
            report.model,
            100.0 * report.prefix
        ),
        false => format!(
            "Rollout of “{}” through all layers of {}, with no prefix: most of it ends at the first word, which acts as the \
             sink, whatever the text. Share: of all of it. Mean weight: of all heads on the word, without rollout.",
            report.word, report.model
        ),
    };
    let mut out = output::stdout();
    write_table(&mut out, &heading, &sorted, context.width())?;
    out.flush()?;
    Ok(())
}
