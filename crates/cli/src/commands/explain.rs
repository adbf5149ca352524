//! `explain`: the notes on attention, walked through with a real model's numbers.

use std::io::Write as _;

use clap::Args;
use lookback_heads::explain::{ExplainOptions, check_length, explain_with};
use lookback_heads::{WordName, default_head, head, interest, label_of};
use lookback_model::WeightsKind;
use lookback_trace::HeadId;
use lookback_view::terminal::{ExplanationPicture, write_explanation};

use crate::args::{InterventionArgs, ModelArgs, TextArgs};
use crate::context::Context;
use crate::output::{self, count};
use crate::progress::Line;
use crate::run::TextRun;

const EXAMPLES: &str = "\
Examples:
  lookback explain \"Vatsal studies a lot, Madd does not. Yet he gets high scores in test.\"
  lookback explain \"Tom thanked Ann because she helped.\" --head 9.4 --word she
  lookback explain \"Jack saw Ann. Yet she left.\" --head L9H4 --json";

/// Walk through one head step by step, with its real numbers
///
/// Similarity of the embeddings first, then query, key and value, the scaled scores, the mask, the softmax, the
/// weighted sum, the heads side by side, and the way back to the model dimension. Each step is computed twice, in f64
/// and as the model ran it, and compared.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    text: TextArgs,
    /// The head, as 5.10 or L5H10 [default: the one that looks most at the names the word may refer to, else at the
    /// words before it]
    #[arg(long, value_name = "L.H", value_parser = head::parse)]
    head: Option<HeadId>,
    /// The word whose row is followed, or WORD#n for its nth occurrence [default: the first pronoun, else the last
    /// word]
    #[arg(long, alias = "token", value_name = "WORD")]
    word: Option<WordName>,
    /// How many rows and columns of each matrix are shown
    #[arg(long, value_name = "K", default_value = "6", value_parser = crate::args::at_least_one)]
    entries: std::num::NonZeroUsize,
    /// Columns of a line [default: the terminal's, or 80]
    #[arg(long, value_name = "COLUMNS")]
    width: Option<usize>,
    #[command(flatten)]
    interventions: InterventionArgs,
    #[command(flatten)]
    model: ModelArgs,
}

/// Runs the command.
pub(crate) fn run(args: &ExplainArgs, context: &Context) -> anyhow::Result<()> {
    let text = args.text.read()?;
    let loaded = context.load(args.model.name(), &args.model.checkpoint, WeightsKind::F32)?;
    let run = context.prepare(&loaded, &text, &args.model, &args.interventions)?;
    check_names(args, &run)?;
    let head = match args.head {
        Some(head) => head,
        None => choose(args, &run)?,
    };
    if let Some(interventions) = args.interventions.describe() {
        output::note(&format!(
            "{interventions}; the steps show what {} computes from its input, which interventions in the layers \
             before it change",
            head::name(head)
        ));
    }
    let options = ExplainOptions {
        head,
        word: args.word.clone(),
        model_name: loaded.resolved.name.clone(),
        entries: args.entries.into(),
    };
    let tokens = run.encoding.ids.len();
    let line = Line::spinner(format!("explaining {}", count(tokens, "token")));
    let before = run.interventions.before(head.layer);
    let explanation = explain_with(&loaded.model, &run.encoding, &options, &before.and(&()))?;
    line.clear();
    if context.json {
        return output::print_json(&explanation);
    }
    let picture = ExplanationPicture {
        width: args.width.unwrap_or_else(|| context.width()),
        ..ExplanationPicture::default()
    };
    let mut out = output::stdout();
    write_explanation(&mut out, &explanation, &picture)?;
    out.flush()?;
    Ok(())
}

/// Fails where the text or the model does not have what is named: before the text is read, which may take long.
fn check_names(args: &ExplainArgs, run: &TextRun) -> anyhow::Result<()> {
    check_length(&run.encoding)?;
    run.check_heads(args.head.as_slice())?;
    interest(&run.encoding.text, &run.words(), args.word.as_slice())?;
    Ok(())
}

/// The head that has most to show of the word, and a note that says why it was chosen.
fn choose(args: &ExplainArgs, run: &TextRun) -> anyhow::Result<HeadId> {
    let trace = run.trace()?;
    let (text, words) = (&run.encoding.text, trace.words());
    let word = interest(text, words, args.word.as_slice())?.swap_remove(0);
    let chosen = default_head(&trace, &word)?;
    let heads = trace.heads().count();
    output::note(&format!(
        "no --head given: {} is shown, which of all {} gives {} the most weight at “{}” ({:.1}%)",
        head::name(chosen.head),
        count(heads, "head"),
        chosen.on,
        label_of(text, words, &word),
        100.0 * chosen.weight,
    ));
    Ok(chosen.head)
}
