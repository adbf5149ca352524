//! `look`: what words look back at, over all heads.

use std::io::{IsTerminal as _, Write as _};

use clap::Args;
use lookback_heads::{Look, LookOptions, WordName, head, interest};
use lookback_model::WeightsKind;
use lookback_trace::HeadId;
use lookback_view::terminal::{LookPicture, write_look};
use serde::Serialize;

use super::source::Source;
use crate::args::SourceArgs;
use crate::context::{Context, InsteadOf};
use crate::output;
use crate::progress::Line;
use crate::run::TextRun;

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
/// with the sink excluded and its share stated, and the heads that look most at each name that it may refer to.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LookArgs {
    /// A word to ask about, or WORD#n for its nth occurrence; may be repeated [default: the pronouns, else the last
    /// word]
    #[arg(long = "word", value_name = "WORD")]
    words: Vec<WordName>,
    /// The names that the words may refer to [default: the capitalised words before each]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    candidates: Vec<WordName>,
    /// Show these heads on their own too, as 5.10 or L5H10; may be repeated
    #[arg(long = "head", alias = "heads", value_name = "L.H", value_delimiter = ',', value_parser = head::parse)]
    heads: Vec<HeadId>,
    /// How many words, and heads for each candidate, are listed [default: 8 words, 5 heads]
    #[arg(long, value_name = "K", value_parser = crate::args::at_least_one)]
    top: Option<std::num::NonZeroUsize>,
    /// Columns of a line [default: the terminal's, or 80]
    #[arg(long, value_name = "COLUMNS")]
    width: Option<usize>,
    #[command(flatten)]
    source: SourceArgs,
}

/// Runs the command.
pub(crate) fn run(args: &LookArgs, context: &Context) -> anyhow::Result<()> {
    let from = &args.source;
    if let Some(path) = &from.trace {
        return print(args, context, &Answer::of(Source::of_file(path, context)?));
    }
    // A text that cannot be read is an error before a model is fetched and loaded.
    let text = from.text.read()?;
    let loaded = context.load_or_built_in(&from.model, WeightsKind::F32)?;
    let run = context.prepare(&loaded, &text, &from.model, &from.interventions)?;
    check_names(args, &run)?;
    if let Some(interventions) = from.interventions.describe() {
        output::note(&interventions);
    }
    let answer = Answer {
        source: Source::of_run(&run)?,
        instead_of: loaded.instead_of.clone(),
    };
    print(args, context, &answer)
}

/// What is looked into, and whether another model than the usual one read it.
struct Answer {
    source: Source,
    instead_of: Option<InsteadOf>,
}

impl Answer {
    fn of(source: Source) -> Self {
        Self {
            source,
            instead_of: None,
        }
    }
}

/// Fails where the text or the model does not have what is named: before the text is read, which may take long.
fn check_names(args: &LookArgs, run: &TextRun) -> anyhow::Result<()> {
    let (text, words) = (&run.encoding.text, run.words());
    interest(text, &words, &args.words)?;
    for candidate in &args.candidates {
        candidate.find(text, &words)?;
    }
    run.check_heads(&args.heads)
}

fn print(args: &LookArgs, context: &Context, answer: &Answer) -> anyhow::Result<()> {
    let source = &answer.source;
    let defaults = LookOptions::default();
    let options = LookOptions {
        words: args.words.clone(),
        candidates: args.candidates.clone(),
        heads: args.heads.clone(),
        heads_per_candidate: args.top.map_or(defaults.heads_per_candidate, usize::from),
        prefix: source.prefix.clone(),
    };
    let look = Look::new(&source.trace, &options)?;
    context.answer_names_prefix();
    if context.json {
        let heads = match args.heads.len() {
            0 => look.head_count(),
            named => named,
        };
        let asked: Vec<usize> = look.interest().iter().map(|word| word.end - 1).collect();
        if let Some(size) = describe_size(&asked, heads) {
            output::note(&size);
        }
        return print_json(&look, answer.instead_of.as_ref());
    }
    let defaults = LookPicture::default();
    let picture = LookPicture {
        width: args.width.unwrap_or_else(|| context.width()),
        listed: args.top.map_or(defaults.listed, usize::from),
        words_of_interest: defaults.words_of_interest.max(args.words.len()),
        head_by_head: !args.heads.is_empty(),
        notice: answer.instead_of.as_ref().map(ToString::to_string),
    };
    let mut out = output::stdout();
    write_look(&mut out, &look, &picture)?;
    out.flush()?;
    Ok(())
}

/// What is said before the JSON form of a long text is written, which may be larger than its reader thinks: each
/// head's weight on each word up to each of those that are asked about.
fn describe_size(asked: &[usize], heads: usize) -> Option<String> {
    /// Bytes from which on it is said.
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
fn print_json(look: &Look<'_>, instead_of: Option<&InsteadOf>) -> anyhow::Result<()> {
    let words = look.interest().len();
    let bar = (!std::io::stdout().is_terminal()).then(|| Line::counting("words looked at"));
    let progress = |done: usize| {
        if let Some(bar) = &bar {
            bar.position(done as u64, words as u64);
        }
    };
    // Its keys are the same in every version, and it may be too large to be held as a whole.
    output::print_json_as_it_is(&Printed {
        look: look.with_progress(progress),
        instead_of,
    })
}

/// The JSON form.
#[derive(Serialize)]
struct Printed<'a, L> {
    #[serde(flatten)]
    look: L,
    #[serde(skip_serializing_if = "Option::is_none")]
    instead_of: Option<&'a InsteadOf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_large_answer_is_said_first() {
        let asked: Vec<usize> = (0..2_100).map(|pronoun| 3 * pronoun + 2).collect();
        assert_eq!(
            describe_size(&asked, 270).as_deref(),
            Some(
                "the answer takes about 35.7 GB: the weight of each of 270 heads on every word before each of 2100; --word and --head name fewer"
            )
        );
        assert_eq!(describe_size(&asked, 2), None);
        assert_eq!(describe_size(&asked[..200], 270), None);
    }
}
