//! `who`: which name a word refers to, with controls and causes.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lookback_heads::who::evaluate::{EvaluateOptions, evaluate};
use lookback_heads::who::set::Set;
use lookback_heads::who::significance::DRAWS;
use lookback_heads::who::{From as Row, Question, WhoOptions, who};
use lookback_heads::{WordName, head};
use lookback_model::WeightsKind;
use lookback_trace::{HeadId, Words};
use lookback_view::terminal::{write_set, write_who};

use crate::args::{ModelArgs, ReferenceArgs, TextArgs};
use crate::context::Context;
use crate::layer_progress::LayerProgress;
use crate::progress::Line;
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
/// A verdict, its reason and a caveat; then for each head the weight from the word to each candidate, the same with the
/// names swapped and with the deciding word flipped, and what cutting the edge does to the model's answer. With a set of questions: each head's
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
    #[arg(long = "head", alias = "heads", value_name = "L.H", value_delimiter = ',', value_parser = head::parse)]
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
    match &args.set {
        Some(file) => run_set(args, Set::open(file)?, context),
        None => run_text(args, context),
    }
}

fn run_text(args: &WhoArgs, context: &Context) -> anyhow::Result<()> {
    if args.from == FromArg::Probe && args.probe.is_none() {
        anyhow::bail!("--from probe reads the row of a probe's last token: give one with --probe");
    }
    let text = args.text.read()?;
    let loaded = context.load(args.model.name(), &args.model.checkpoint, WeightsKind::F32)?;
    let model = &loaded.model;
    let encoding = context.encode(model, &text, &args.model)?;
    let words = Words::new(&encoding.text, &encoding.spans);
    let question = Question::new(
        &encoding.text,
        &words,
        args.word.as_ref(),
        &args.candidates,
        args.probe.as_deref(),
    )?;
    let options = WhoOptions {
        means: context.mean_outputs(model, &args.ablate, &args.reference, &args.model)?,
        prefix: args.model.prefix(),
        from: args.from.into(),
        heads: args.heads.clone(),
        ablate: args.ablate.clone(),
        top: args.top,
        model_name: loaded.resolved.name.clone(),
    };
    let answer = {
        let progress = LayerProgress::start(encoding.ids.len());
        who(model, &question, &options, &progress)?
    };
    if context.json {
        return output::print_json(&answer);
    }
    let mut out = output::stdout();
    write_who(&mut out, &answer, context.width())?;
    out.flush()?;
    Ok(())
}

fn run_set(args: &WhoArgs, set: Set, context: &Context) -> anyhow::Result<()> {
    for skipped in &set.skipped {
        output::note(&format!(
            "line {} is skipped: {}",
            skipped.line, skipped.reason
        ));
    }
    let loaded = context.load(args.model.name(), &args.model.checkpoint, WeightsKind::F32)?;
    let options = EvaluateOptions {
        prefix: args.model.prefix(),
        from: args.from.into(),
        seed: args.seed,
        draws: DRAWS,
        model_name: loaded.resolved.name.clone(),
    };
    let report = {
        let line = Line::counting("asking");
        evaluate(&loaded.model, &set, &options, &(), &mut |done, total| {
            line.position(done as u64, total as u64);
            interrupt::flow()
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
