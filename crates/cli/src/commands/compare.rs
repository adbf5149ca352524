//! `compare`: the heads of a model on two texts, or of two models on one.

use std::ffi::OsString;
use std::io::Write as _;

use anyhow::bail;
use clap::Args;
use lookback_heads::profile::profiles;
use lookback_model::WeightsKind;
use lookback_trace::quoted;
use lookback_view::table::{Table, Values};
use lookback_view::terminal::{PARTS, write_table_of_parts};
use serde::Serialize;

use super::heads;
use crate::args::{InterventionArgs, ModelArgs, TextArgs};
use crate::context::{Context, Loaded};
use crate::output;
use crate::run::InputSize;

const EXAMPLES: &str = "\
Examples:
  lookback compare \"Tom thanked Ann.\" --with \"Ann thanked Tom.\" --by entropy
  lookback compare --file essay.txt --with-model other.gguf --by induction
  lookback compare --file essay.txt --with \"A text.\" --ablate 5.1 --json";

/// Compare what each head does on two texts, or in two models of one shape
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    text: TextArgs,
    /// The other text
    #[arg(long, value_name = "TEXT", required_unless_present = "other_model")]
    with: Option<OsString>,
    /// The other model
    #[arg(long = "with-model", value_name = "MODEL")]
    other_model: Option<String>,
    /// The column that is compared, as `lookback heads` names it
    #[arg(long, value_name = "COLUMN", default_value = "sink")]
    by: String,
    /// How many heads are listed
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
    by: &'a str,
    first: Side<'a>,
    second: Side<'a>,
    /// What is intervened on, on either side.
    #[serde(skip_serializing_if = "Option::is_none")]
    interventions: Option<String>,
    heads: &'a Table,
}

/// One of the two that are compared.
#[derive(Serialize)]
struct Side<'a> {
    model: &'a str,
    text: &'a str,
    #[serde(flatten)]
    size: InputSize,
}

/// Runs the command.
pub(crate) fn run(args: &CompareArgs, context: &Context) -> anyhow::Result<()> {
    let text = args.text.read()?;
    let other = match &args.with {
        None => text.clone(),
        Some(with) => TextArgs {
            text: Some(with.clone()),
            file: None,
        }
        .read()?,
    };
    let loaded = context.load(args.model.name(), &args.model.checkpoint, WeightsKind::F32)?;
    let (first, first_size) = of(&loaded, &text, args, context)?;
    let other_model = args.other_model.as_ref();
    let checkpoint = &args.model.checkpoint;
    let other_model = other_model.map(|spec| context.load(spec, checkpoint, WeightsKind::F32));
    let other_model = other_model.transpose()?;
    let second_model = other_model.as_ref().unwrap_or(&loaded);
    let (second, second_size) = of(second_model, &other, args, context)?;
    if first.rows() != second.rows() {
        bail!(
            "the models have {} and {} heads, which cannot be compared one by one",
            first.rows(),
            second.rows()
        );
    }
    let table = compared(&first, &second, &args.by)?;
    if context.json {
        return output::print_json(&Report {
            format: "lookback-compare/1",
            by: &args.by,
            first: Side {
                model: loaded.name(),
                text: &text,
                size: first_size,
            },
            second: Side {
                model: second_model.name(),
                text: &other,
                size: second_size,
            },
            interventions: args.interventions.describe(),
            heads: &table,
        });
    }
    let sorted = table.sorted_by("size").unwrap_or_default().head(args.top);
    let shown = sorted.of_columns(&["head", "first", "second", "difference"]);
    let mut out = output::stdout();
    let interventions = args.interventions.describe();
    let heading = format!(
        "{} of each head{}, the greatest differences first",
        args.by,
        interventions
            .map(|what| format!(", {what}"))
            .unwrap_or_default()
    );
    let parts: &[&str] = match PARTS.contains(&args.by.as_str()) {
        true => &["first", "second", "difference"],
        false => &[],
    };
    write_table_of_parts(&mut out, &heading, &shown, parts, context.width())?;
    out.flush()?;
    Ok(())
}

/// The table of all heads, and how many tokens were read; the scores that a model has without a text are in it where
/// they are asked for.
fn of(
    loaded: &Loaded,
    text: &str,
    args: &CompareArgs,
    context: &Context,
) -> anyhow::Result<(Table, InputSize)> {
    let run = context.prepare(loaded, text, &args.model, &args.interventions)?;
    let profiles = profiles(&run.trace()?, &run.special())?;
    let table = heads::table(&profiles, None);
    if has(&table, &args.by) {
        return Ok((table, run.size()));
    }
    let table = heads::table(&profiles, Some(&heads::model_scores(loaded)?));
    if args.other_model.is_none() && has(&table, &args.by) {
        bail!(
            "{} belongs to the model and is the same whatever the text; compare two models by it, with --with-model",
            quoted(&args.by)
        );
    }
    Ok((table, run.size()))
}

fn has(table: &Table, column: &str) -> bool {
    table.columns().iter().any(|has| has.name() == column)
}

fn compared(first: &Table, second: &Table, by: &str) -> anyhow::Result<Table> {
    let column = |table: &Table| {
        let mut columns = table.columns().iter();
        match columns.find(|c| c.name() == by).map(|c| c.values()) {
            Some(Values::Real(values)) => Ok(values.clone()),
            _ => {
                let real = table
                    .columns()
                    .iter()
                    .filter(|c| matches!(c.values(), Values::Real(_)));
                let names: Vec<&str> = real.map(|c| c.name()).collect();
                Err(anyhow::anyhow!(
                    "there is no column {} to compare; there are {}",
                    quoted(by),
                    names.join(", ")
                ))
            }
        }
    };
    let (a, b) = (column(first)?, column(second)?);
    let mut table = first.of_columns(&["head", "layer", "index"]);
    table.real("first", a.iter().copied());
    table.real("second", b.iter().copied());
    table.real("difference", a.iter().zip(&b).map(|(a, b)| b - a));
    table.real("size", a.iter().zip(&b).map(|(a, b)| (b - a).abs()));
    Ok(table)
}
