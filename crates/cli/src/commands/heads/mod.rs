//! `heads`: a profile for every head.

mod cache;
mod columns;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::Args;
use lookback_heads::profile::{self, HeadProfile};
use lookback_model::WeightsKind;
use lookback_trace::quoted;
use lookback_view::svg::{self, HeadsOptions, Theme};
use lookback_view::table::{Kind, Table};
use lookback_view::terminal::write_table;
use serde::Serialize;

use super::tables;
use crate::args::{InterventionArgs, ModelArgs, TextArgs};
use crate::context::{Context, Loaded};
use crate::output::{self, count};
use crate::picture::Picture;
use crate::run::{InputSize, TextRun};

pub(super) use cache::model_scores;
pub(super) use columns::table;

const EXAMPLES: &str = "\
Examples:
  lookback heads --file essay.txt
  lookback heads \"Vatsal studies a lot, Madd does not.\" --sort induction --top 10
  lookback heads --file essay.txt -o heads.parquet
  lookback heads --file essay.txt -o heads.svg
  lookback heads --file essay.txt -o induction.png --scores induction,previous_random --dark
  lookback heads --file essay.txt --no-probes --json

docs/heads.md gives each score's definition and source, what it is for and how it misleads.";

/// Show what every head does: sinks, distances, previous tokens, induction, copying
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HeadsArgs {
    #[command(flatten)]
    text: TextArgs,
    /// Sort by this column, from the greatest [default: layer and head]
    #[arg(long, value_name = "COLUMN")]
    sort: Option<String>,
    /// How many heads are listed [default: 20 with --sort, else all]
    #[arg(long, value_name = "K")]
    top: Option<usize>,
    /// Save the table (.json, .csv, .parquet or .npy), or draw the scores, layers × heads (.svg or .png)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if there is one
    #[arg(long, requires = "output")]
    force: bool,
    /// Draw only these scores, as sink,induction [default: all]
    #[arg(
        long,
        value_name = "COLUMNS",
        value_delimiter = ',',
        requires = "output"
    )]
    scores: Vec<String>,
    /// Draw for dark paper
    #[arg(long, requires = "output")]
    dark: bool,
    /// Only what the text shows: no scores on random repeated tokens, and none from the weights
    #[arg(long)]
    no_probes: bool,
    #[command(flatten)]
    interventions: InterventionArgs,
    #[command(flatten)]
    model: ModelArgs,
}

/// The answer as JSON.
#[derive(Serialize)]
struct Heads<'a> {
    format: &'static str,
    model: &'a str,
    #[serde(flatten)]
    size: InputSize,
    /// What is intervened on.
    #[serde(skip_serializing_if = "Option::is_none")]
    interventions: Option<String>,
    /// Share of heads whose mean weight on the sink is above 30%.
    sink_rate: f64,
    heads: &'a Table,
}

/// Runs the command.
pub(crate) fn run(args: &HeadsArgs, context: &Context) -> anyhow::Result<()> {
    if let Some(file) = &args.output {
        check_output(file, args.force)?;
    }
    let text = args.text.read()?;
    let loaded = context.load(args.model.name(), &args.model.checkpoint, WeightsKind::F32)?;
    let run = context.prepare(&loaded, &text, &args.model, &args.interventions)?;
    let profiles = profile::profiles(&run.trace()?, &run.special())?;
    let scores = match args.no_probes {
        true => None,
        false if !loaded.model.spec().predicts_next() => {
            output::note("this model predicts no next token: only scores of the text are shown");
            None
        }
        false => Some(model_scores(&loaded)?),
    };
    let table = columns::table(&profiles, scores.as_ref());
    let picture = args.output.as_deref();
    if let Some((file, picture)) = picture.and_then(|file| Some((file, Picture::of(file)?))) {
        return draw(args, (file, picture), &run, (&profiles, &table), context);
    }
    let table = arranged(args, table)?;
    if let Some(file) = &args.output {
        return tables::save(file, &table, run.size(), context);
    }
    if context.json {
        return output::print_json(&Heads {
            format: "lookback-heads/2",
            model: loaded.name(),
            size: run.size(),
            interventions: args.interventions.describe(),
            sink_rate: profile::sink_rate(&profiles),
            heads: &table,
        });
    }
    print(args, &loaded, &profiles, &table, context)
}

/// Fails for a file that is neither a table nor a picture, or cannot be written: before the work, not after it.
fn check_output(file: &Path, force: bool) -> anyhow::Result<()> {
    if Picture::of(file).is_none() {
        Kind::of(file).map_err(|_| {
            anyhow!(
                "{} is neither a table (.json, .csv, .parquet, .npy) nor a picture (.svg, .png); give it one of these \
                 endings",
                file.display()
            )
        })?;
    }
    output::check_destination(file, force)
}

/// A picture as JSON.
#[derive(Serialize)]
struct Drawn<'a> {
    file: &'a Path,
    bytes: usize,
    scores: Vec<&'a str>,
    #[serde(flatten)]
    size: InputSize,
}

/// Draws the scores, layers × heads.
fn draw(
    args: &HeadsArgs,
    (file, picture): (&Path, Picture),
    run: &TextRun,
    (profiles, table): (&[HeadProfile], &Table),
    context: &Context,
) -> anyhow::Result<()> {
    let scores = columns::scores(profiles, table, &args.scores)?;
    let size = run.size();
    let options = HeadsOptions {
        title: format!(
            "{} of {}, {}",
            count(profiles.len(), "head"),
            run.loaded.name(),
            count(size.tokens, "token")
        ),
        theme: if args.dark { Theme::Dark } else { Theme::Light },
    };
    let bytes = picture.write(file, svg::heads(&scores, &options)?)?;
    let line = format!(
        "drew {} into {}, {}",
        count(scores.len(), "score"),
        file.display(),
        output::bytes(bytes as u64)
    );
    let scores = scores.iter().map(|score| score.name.as_str()).collect();
    let drawn = Drawn {
        file,
        bytes,
        scores,
        size,
    };
    output::wrote(context.json, &drawn, &[line])
}

/// Sorted and cut as asked.
fn arranged(args: &HeadsArgs, table: Table) -> anyhow::Result<Table> {
    let Some(column) = &args.sort else {
        return Ok(table.head(args.top.unwrap_or(usize::MAX)));
    };
    let Some(sorted) = table.sorted_by(column) else {
        let names: Vec<&str> = table.columns().iter().map(|c| c.name()).collect();
        bail!(
            "there is no column {} to sort by; there are {}",
            quoted(column),
            names.join(", ")
        );
    };
    let listed = if args.output.is_some() {
        usize::MAX
    } else {
        20
    };
    Ok(sorted.head(args.top.unwrap_or(listed)))
}

fn print(
    args: &HeadsArgs,
    loaded: &Loaded,
    profiles: &[HeadProfile],
    table: &Table,
    context: &Context,
) -> anyhow::Result<()> {
    let mut out = output::stdout();
    let interventions = args.interventions.describe();
    let heading = format!(
        "{} of {}{}; {:.0}% of them put more than 30% of their weight on the sink (mean over the text)",
        count(profiles.len(), "head"),
        loaded.resolved.name,
        interventions
            .map(|what| format!(", {what}"))
            .unwrap_or_default(),
        100.0 * profile::sink_rate(profiles)
    );
    write_table(&mut out, &heading, &drawn(args, table), context.width())?;
    out.flush()?;
    Ok(())
}

/// The columns as a terminal shows them: the one that is sorted by first; layer and index stand in the head's name.
fn drawn(args: &HeadsArgs, table: &Table) -> Table {
    let mut names = vec!["head"];
    names.extend(args.sort.as_deref());
    for column in table.columns() {
        let name = column.name();
        if !names.contains(&name) && !["layer", "index"].contains(&name) {
            names.push(name);
        }
    }
    table.of_columns(&names)
}
