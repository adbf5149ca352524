//! `look`: what words look back at, over all heads.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use lookback_heads::{Look, LookOptions, WordName, head};
use lookback_model::{Encoding, Interventions, TraceOptions, WeightsKind};
use lookback_trace::{HeadId, Trace};
use lookback_view::terminal::{LookPicture, write_look};

use crate::args::{ModelArgs, TextArgs};
use crate::context::{Context, Loaded, note_precision};
use crate::interventions::InterventionArgs;
use crate::output;
use crate::progress::CountBar;

const EXAMPLES: &str = "\
Examples:
  lookback \"Vatsal studies a lot, Madd does not. Yet he gets high scores in test.\"
  lookback \"Tom met Bob. He told him that he won.\" --word he
  lookback \"The dog chased the cat because it was angry.\" --candidates dog,cat
  lookback \"Jack saw Ann. Yet she left.\" --head 9.4 --head L13H8
  lookback look --trace essay.safetensors --word she#2 --json

A name that occurs several times is WORD#n, its nth occurrence: he#2.";

/// Show what words look back at, over all heads
///
/// For each word of interest (the pronouns, else the last word): the earlier words that all heads together look at,
/// with the sink set aside and its share stated, and the heads that look most at each candidate for what it stands
/// for.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LookArgs {
    #[command(flatten)]
    pub(crate) text: TextArgs,
    /// Look into a trace file instead of reading a text: no model is needed
    #[arg(long, value_name = "FILE", group = "TextArgs", conflicts_with_all = ["model", "prefix", "truncate", "ablate", "cut"])]
    pub(crate) trace: Option<PathBuf>,
    /// A word to ask about, or WORD#n for its nth occurrence; may be repeated [default: the pronouns, else the last
    /// word]
    #[arg(long = "word", value_name = "WORD")]
    pub(crate) words: Vec<WordName>,
    /// Whom the words may stand for [default: the capitalised words before each]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) candidates: Vec<WordName>,
    /// Show this head on its own too, as 5.10 or L5H10; may be repeated
    #[arg(long = "head", value_name = "L.H", value_parser = head::parse)]
    pub(crate) heads: Vec<HeadId>,
    /// How many words, and heads for each candidate, are listed [default: 8 words, 5 heads]
    #[arg(long, value_name = "K", value_parser = crate::args::at_least_one)]
    pub(crate) top: Option<std::num::NonZeroUsize>,
    /// Columns of a line [default: the terminal's, or 80]
    #[arg(long, value_name = "COLUMNS")]
    pub(crate) width: Option<usize>,
    #[command(flatten)]
    pub(crate) changes: InterventionArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// Runs the command.
pub(crate) fn run(args: &LookArgs, context: &Context) -> anyhow::Result<()> {
    match &args.trace {
        Some(path) => {
            let trace = open(path)?;
            print(args, context, &trace)
        }
        None => {
            // A text that cannot be read is told before a model is fetched and loaded.
            let text = context.text(&args.text)?;
            let loaded = context.load_or_built_in(&args.model.model, WeightsKind::F32)?;
            let (encoding, changes) =
                args.changes
                    .encode(&text, &loaded.model, &args.model, context)?;
            if let Some(told) = args.changes.describe() {
                output::note(&format!("the model reads {told}"));
            }
            let trace = trace(context, &loaded, &encoding, &changes)?;
            print(args, context, &trace)
        }
    }
}

fn open(path: &Path) -> anyhow::Result<Trace> {
    Trace::open(path).with_context(|| format!("cannot look into {}", path.display()))
}

/// What the model's heads do on a text.
pub(super) fn trace(
    context: &Context,
    loaded: &Loaded,
    encoding: &Encoding,
    changes: &Interventions,
) -> anyhow::Result<Trace> {
    let options = TraceOptions {
        logits: lookback_model::Logits::None,
        model_name: Some(loaded.resolved.name.clone()),
        model_sha256: loaded.resolved.sha256.clone(),
        ..TraceOptions::default()
    };
    let reading = context.reading(encoding.ids.len());
    Ok(loaded
        .model
        .trace(encoding, &options, &changes.and(&reading))?
        .trace)
}

fn print(args: &LookArgs, context: &Context, trace: &Trace) -> anyhow::Result<()> {
    note_precision(trace);
    let defaults = LookOptions::default();
    let options = LookOptions {
        words: args.words.clone(),
        candidates: args.candidates.clone(),
        heads: args.heads.clone(),
        heads_per_candidate: args.top.map_or(defaults.heads_per_candidate, usize::from),
        prefix: trace.prefix_texts().to_vec(),
    };
    let look = Look::new(trace, &options)?;
    if context.json {
        let heads = match args.heads.len() {
            0 => look.head_count(),
            named => named,
        };
        if let Some(told) = told_of_size(look.interest(), heads) {
            output::note(&told);
        }
        return print_json(&look);
    }
    let defaults = LookPicture::default();
    let picture = LookPicture {
        width: args.width.unwrap_or_else(|| context.width()),
        listed: args.top.map_or(defaults.listed, usize::from),
        words_of_interest: defaults.words_of_interest.max(args.words.len()),
        head_by_head: !args.heads.is_empty(),
    };
    let mut out = output::stdout();
    write_look(&mut out, &look, &picture)?;
    out.flush()?;
    Ok(())
}

/// What is said before the JSON form of a long text is written, which may take more room than its reader thinks: each head's weight
/// on each word up to each of those that are asked about.
fn told_of_size(asked: &[usize], heads: usize) -> Option<String> {
    /// Bytes that are told of.
    const LARGE: u64 = 1 << 30;
    /// Bytes of a word and its weight, about.
    const PAIR: u64 = 20;
    let words = asked.iter().map(|&word| word as u64 + 1).sum::<u64>();
    let size = words.saturating_mul(heads as u64).saturating_mul(PAIR);
    (size >= LARGE).then(|| {
        format!(
            "the answer takes about {}: the weight of each of {heads} heads on every word before each of {}; --word and --head name fewer",
            output::bytes(size),
            asked.len()
        )
    })
}

/// Prints the JSON form, which of a long text takes a while: progress is shown where the answer is not.
fn print_json(look: &Look<'_>) -> anyhow::Result<()> {
    let words = look.interest().len();
    let bar = (!std::io::stdout().is_terminal()).then(|| CountBar::start("words looked at"));
    let progress = |done: usize| {
        if let Some(bar) = &bar {
            bar.position(done, words);
        }
    };
    output::print_json(&look.with_progress(progress))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_answers_are_told_of() {
        let asked: Vec<usize> = (0..2_100).map(|pronoun| 3 * pronoun + 2).collect();
        assert_eq!(
            told_of_size(&asked, 270).as_deref(),
            Some(
                "the answer takes about 35.7 GB: the weight of each of 270 heads on every word before each of 2100; --word and --head name fewer"
            )
        );
        assert_eq!(told_of_size(&asked, 2), None);
        assert_eq!(told_of_size(&asked[..200], 270), None);
    }
}
