//! `who`: which name a word refers to, with controls and causes.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lookback_heads::who::evaluate::{EvaluateOptions, evaluate};
use lookback_heads::who::set::Set;
use lookback_heads::who::significance::DRAWS;
use lookback_heads::who::{From as Row, Question, WhoOptions, who};
use lookback_heads::{WordName, head};
use lookback_model::{Prefix, WeightsKind};
use lookback_trace::{HeadId, Words};
use lookback_view::terminal::{write_set, write_who};

use crate::args::{ModelArgs, TextArgs};
use crate::context::Context;
use crate::interventions::ReferenceArgs;
use crate::progress::CountBar;
use crate::{interrupt, output};

const EXAMPLES: &str = "\
Examples:
  lookback who \"Vatsal studies a lot, Madd does not. Yet he gets high scores in test.\" --word he \\
      --probe \"The one who gets high scores is\"
  lookback who \"John met Mary at the station. Then she bought two tickets.\" --ablate 9.4,15.7
  lookback who \"The dog chased the cat because it was angry.\" --candidates dog,cat --head 13.8
  lookback who --set pronouns.jsonl --json

A set holds one question a line: {\"text\", \"word\", \"candidates\", \"answer\"} and where wanted \"word_span\" (in \
characters), \"group\", \"template\" and \"probe\". \
docs/heads.md says what is computed and how it misleads.";

/// Ask which name a word refers to, with controls and causes
///
/// A verdict, its reason and a caveat; then for each head the weight from the word to each candidate, the same with the names
/// swapped and with the word flipped that decides between them, and what cutting the edge does to the model's answer. With a set of questions: each head's
/// accuracy, and whether the best of them beats chance.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WhoArgs {
    #[command(flatten)]
    text: TextArgs,
    /// Ask every question of a file, one JSON object a line
    #[arg(long, value_name = "FILE", group = "TextArgs", conflicts_with_all = ["word", "candidates", "probe", "heads", "ablate", "truncate"])]
    set: Option<PathBuf>,
    /// The word, or WORD#n for its nth occurrence [default: the first pronoun]
    #[arg(long, value_name = "WORD")]
    word: Option<WordName>,
    /// The names it may refer to [default: the capitalised words before it, else words after a determiner]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    candidates: Vec<WordName>,
    /// How the text is continued to ask the model: "The one who gets high scores is"
    #[arg(long, value_name = "TEXT")]
    probe: Option<String>,
    /// Whose row is read and cut
    #[arg(long, value_name = "ROW", value_enum, default_value_t = FromArg::Word)]
    from: FromArg,
    /// Cut the edges in this head, as 14.8 or L14H8; may be repeated [default: those that favour one candidate most]
    #[arg(long = "head", value_name = "L.H", value_parser = head::parse)]
    heads: Vec<HeadId>,
    /// Ablate these heads together, as 9.4,15.7
    #[arg(long, value_name = "HEADS", value_delimiter = ',', value_parser = head::parse)]
    ablate: Vec<HeadId>,
    #[command(flatten)]
    reference: ReferenceArgs,
    /// How many heads are listed, and cut
    #[arg(long, value_name = "K", default_value_t = 5)]
    top: usize,
    /// What the random draws of --set follow from
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    model: ModelArgs,
}

/// A row as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FromArg {
    /// The word's own
    Word,
    /// The last token's
    Last,
    /// That of the probe's last token
    Probe,
}

impl From<FromArg> for Row {
    fn from(from: FromArg) -> Self {
        match from {
            FromArg::Word => Self::Word,
            FromArg::Last => Self::Last,
            FromArg::Probe => Self::Probe,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &WhoArgs, context: &Context) -> anyhow::Result<()> {
    let prefix = args.model.prefix.as_ref();
    let prefix = prefix.map_or(Prefix::Declared, |prefix| prefix.0.clone());
    match &args.set {
        Some(file) => run_set(args, Set::open(file)?, prefix, context),
        None => run_text(args, prefix, context),
    }
}

fn run_text(args: &WhoArgs, prefix: Prefix, context: &Context) -> anyhow::Result<()> {
    if args.from == FromArg::Probe && args.probe.is_none() {
        anyhow::bail!("--from probe reads the row of a probe's last token: give one with --probe");
    }
    let text = context.text(&args.text)?;
    let loaded = context.load(&args.model.model, WeightsKind::F32)?;
    let encoding = context.encode(&loaded.model, &text, &args.model, prefix.clone())?;
    let words = Words::new(&encoding.text, &encoding.spans);
    let question = Question::new(
        &encoding.text,
        &words,
        args.word.as_ref(),
        &args.candidates,
        args.probe.as_deref(),
    )?;
    let options = WhoOptions {
        means: args.reference.means(
            &loaded.model,
            &args.ablate,
            context,
            (&args.model, prefix.clone()),
        )?,
        prefix,
        from: args.from.into(),
        heads: args.heads.clone(),
        ablate: args.ablate.clone(),
        top: args.top,
        model_name: loaded.resolved.name.clone(),
    };
    let answer = {
        let reading = context.reading(encoding.ids.len());
        who(&loaded.model, &question, &options, &reading)?
    };
    if context.json {
        return output::print_json(&answer);
    }
    let mut out = output::stdout();
    write_who(&mut out, &answer, context.width())?;
    out.flush()?;
    Ok(())
}

fn run_set(args: &WhoArgs, set: Set, prefix: Prefix, context: &Context) -> anyhow::Result<()> {
    for skipped in &set.skipped {
        output::note(&format!(
            "line {} is left out: {}",
            skipped.line, skipped.reason
        ));
    }
    let loaded = context.load(&args.model.model, WeightsKind::F32)?;
    let options = EvaluateOptions {
        prefix,
        from: args.from.into(),
        seed: args.seed,
        draws: DRAWS,
        model_name: loaded.resolved.name.clone(),
    };
    let report = {
        let bar = CountBar::start("asking");
        evaluate(&loaded.model, &set, &options, &(), &mut |done, total| {
            bar.position(done, total);
            match interrupt::requested() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?
    };
    if context.json {
        return output::print_json(&report);
    }
    let mut out = output::stdout();
    write_set(&mut out, &report, context.width())?;
    out.flush()?;
    Ok(())
}
