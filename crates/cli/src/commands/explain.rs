//! `explain`: the notes on attention, walked through with a real model's numbers.

use std::io::Write as _;

use clap::Args;
use lookback_heads::explain::{ExplainOptions, explain};
use lookback_heads::{WordName, default_head, head, interest, label_of};
use lookback_model::{Encoding, Interventions, Prefix, WeightsKind};
use lookback_trace::HeadId;
use lookback_view::terminal::{ExplanationPicture, write_explanation};

use super::look;
use crate::args::{ModelArgs, TextArgs};
use crate::context::{Context, Loaded};
use crate::output;
use crate::progress::Spinner;

const EXAMPLES: &str = "\
Examples:
  lookback explain \"Vatsal studies a lot, Madd does not. Yet he gets high scores in test.\"
  lookback explain \"Tom thanked Ann because she helped.\" --head 9.4 --token she
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
    pub(crate) text: TextArgs,
    /// The head, as 5.10 or L5H10 [default: the one that looks most at the candidates for what the word stands for,
    /// else at the words before it]
    #[arg(long, value_name = "L.H", value_parser = head::parse)]
    pub(crate) head: Option<HeadId>,
    /// The word whose row is followed, or WORD#n for its nth occurrence [default: the first pronoun, else the last
    /// word]
    #[arg(long, alias = "word", value_name = "WORD")]
    pub(crate) token: Option<WordName>,
    /// How many rows and columns of each matrix are shown
    #[arg(long, value_name = "K", default_value = "6", value_parser = crate::args::at_least_one)]
    pub(crate) entries: std::num::NonZeroUsize,
    /// Columns of a line [default: the terminal's, or 80]
    #[arg(long, value_name = "COLUMNS")]
    pub(crate) width: Option<usize>,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// Runs the command.
pub(crate) fn run(args: &ExplainArgs, context: &Context) -> anyhow::Result<()> {
    let text = context.text(&args.text)?;
    let loaded = context.load(&args.model.model, WeightsKind::F32)?;
    let encoding = context.encode(&loaded.model, &text, &args.model, Prefix::Declared)?;
    let head = match args.head {
        Some(head) => head,
        None => choose(args, context, &loaded, &encoding)?,
    };
    let options = ExplainOptions {
        head,
        word: args.token.clone(),
        model_name: loaded.resolved.name.clone(),
        entries: args.entries.into(),
    };
    let tokens = encoding.ids.len();
    let spinner = Spinner::start(format!("explaining {tokens} tokens"));
    let explanation = explain(&loaded.model, &encoding, &options)?;
    spinner.finish();
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

/// The head that has most to show of the word, and a note that says why it was chosen.
fn choose(
    args: &ExplainArgs,
    context: &Context,
    loaded: &Loaded,
    encoding: &Encoding,
) -> anyhow::Result<HeadId> {
    lookback_heads::explain::check_length(encoding)?;
    let trace = look::trace(context, loaded, encoding, &Interventions::default())?;
    let named: Vec<WordName> = args.token.iter().cloned().collect();
    let text = &trace.meta().text;
    let word = interest(text, trace.words(), &named)?.swap_remove(0);
    let label = label_of(text, trace.words(), &word);
    let chosen = default_head(&trace, &word)?;
    output::note(&format!(
        "no --head given: {} is shown, which of all {} heads gives {} the most weight at “{}” ({:.1}%)",
        head::name(chosen.head),
        (0..trace.layer_count())
            .map(|layer| trace.head_count(layer))
            .sum::<usize>(),
        chosen.on,
        label,
        100.0 * chosen.weight,
    ));
    Ok(chosen.head)
}
