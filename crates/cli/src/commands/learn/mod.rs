//! `learn`: what heads can learn over frozen embeddings, as a study.

mod notes;
mod table;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use lookback_learn::sentences::{Set, Split};
use lookback_learn::study::{self, Embeddings, Event, Length, Study, Table};
use lookback_learn::{Base, Error, evaluation_set};
use lookback_model::store::PRONOUN;
use serde::Serialize;

use crate::context::Context;
use crate::interrupt::{self, Interrupted};
use crate::output::{self, count};
use crate::progress::Line;

const EXAMPLES: &str = "\
Examples:
  lookback learn --quick
  lookback learn --folder study --json
  lookback learn --sentences held-out.jsonl --split held-out-templates

The study is kept in its folder as it goes: interrupted, the same command goes on where it stopped.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.";

/// Train attention heads over frozen embeddings to find which name a pronoun refers to, and compare what each part adds
///
/// Compares no trained matrices at all, one layer, several layers, one head and several, on names and on sentence
/// templates that training never shows.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LearnArgs {
    /// The settings that differ most, one seed and few steps
    #[arg(long)]
    quick: bool,
    /// Where the study is kept
    #[arg(long, value_name = "FOLDER", default_value = "lookback-study")]
    folder: PathBuf,
    /// Write the sentences that models are judged by to a file, one JSON object a line, and train nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "folder"])]
    sentences: Option<PathBuf>,
    /// Which sentences
    #[arg(
        long,
        value_enum,
        default_value = "held-out-templates",
        requires = "sentences"
    )]
    split: SplitArg,
    /// Good and bad outcomes in turn, which come after the pronoun: its row cannot distinguish them, the last token's can
    #[arg(long, requires = "sentences")]
    outcomes: bool,
    /// How many draws of names, topic and template, of eight swapped sentences each, or sixteen with --outcomes
    #[arg(long, value_name = "N", default_value = "100", requires = "sentences")]
    draws: std::num::NonZeroU16,
}

/// A [`Split`] as it is written.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum SplitArg {
    /// Names, topics and templates of training
    Training,
    /// Names that training never shows
    HeldOutNames,
    /// Templates, topics and names that training never shows
    HeldOutTemplates,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    table: Table,
    notes: Option<notes::Notes>,
}

/// Runs the command.
pub(crate) fn run(args: &LearnArgs, context: &Context) -> anyhow::Result<()> {
    if let Some(path) = &args.sentences {
        return sentences(args, path);
    }
    let source = PRONOUN.address();
    let base = Base::open(&source)?;
    let embeddings = Embeddings {
        source: &source,
        tokenizer: base.tokenizer(),
        values: base.values(),
        d: base.d(),
    };
    let length = if args.quick {
        Length::Quick
    } else {
        Length::Full
    };
    let study = Study {
        folder: args.folder.clone(),
        length,
    };
    let line = Line::training();
    let graceful = interrupt::graceful();
    let ran = study::run(&study, &embeddings, &mut |event| {
        match event {
            Event::Begin {
                setting,
                seed,
                done,
                all,
                steps,
            } => {
                line.begin(
                    format!("{} of {all}: {}, seed {seed}", done + 1, setting.name),
                    *steps,
                );
            }
            Event::Step(record) => line.step(record.step, record.loss),
        }
        interrupt::flow()
    });
    drop(graceful);
    drop(line);
    let table = match ran {
        Ok(table) => table,
        Err(Error::Stopped { .. }) => return Err(Interrupted.into()),
        Err(error) => {
            return Err(error).with_context(|| format!("the study in {}", args.folder.display()));
        }
    };
    // A study whose model was removed has its table all the same.
    let notes = match study.kept() {
        kept if kept.exists() => Some(notes::Notes::new(&kept)?),
        _ => None,
    };
    if context.json {
        return output::print_json(&Report { table, notes });
    }
    let mut out = output::stdout();
    table::write(&mut out, &table, context.width())?;
    if let Some(notes) = &notes {
        notes.write(&mut out)?;
    }
    out.flush()?;
    Ok(())
}

fn sentences(args: &LearnArgs, path: &std::path::Path) -> anyhow::Result<()> {
    let split = match args.split {
        SplitArg::Training => Split::Training,
        SplitArg::HeldOutNames => Split::HeldOutNames,
        SplitArg::HeldOutTemplates => Split::HeldOutTemplates,
    };
    let set = if args.outcomes {
        Set::Outcome
    } else {
        Set::Pronoun
    };
    let items = evaluation_set::items(split, set, args.draws.get().into());
    evaluation_set::save_lines(path, &items)?;
    let sentences = count(items.len(), "sentence");
    output::note(&format!("{sentences} in {}", path.display()));
    Ok(())
}
