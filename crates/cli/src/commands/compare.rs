//! `compare`: the heads of a model on two texts, or of two models on one.

use std::ffi::OsString;
use std::io::Write as _;

use anyhow::bail;
use clap::Args;
use lookback_heads::profile::profiles;
use lookback_model::{Prefix, WeightsKind};
use lookback_view::table::{Table, Values};
use lookback_view::terminal::{PARTS, write_table_of_parts};
use serde::Serialize;

use crate::args::{ModelArgs, TextArgs};
use crate::commands::heads;
use crate::context::{Context, Loaded};
use crate::output;

/// Compare what each head does on two texts, or in two models of one shape
#[derive(Debug, Clone, Args)]
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
    model: ModelArgs,
}

/// The answer as JSON.
#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    by: &'a str,
    first: Side<'a>,
    second: Side<'a>,
    heads: &'a Table,
}

/// One of the two that are compared.
#[derive(Serialize)]
struct Side<'a> {
    model: &'a str,
    text: &'a str,
}

/// Runs the command.
pub(crate) fn run(args: &CompareArgs, context: &Context) -> anyhow::Result<()> {
    let text = context.text(&args.text)?;
    let other = args.with.clone().map(|text| TextArgs {
        text: Some(text),
        file: None,
    });
    let other = other
        .map(|args| context.text(&args))
        .transpose()?
        .unwrap_or_else(|| text.clone());
    let loaded = context.load(&args.model.model, WeightsKind::F32)?;
    let first = of(&loaded, &text, args, context)?;
    let (second, second_model) = match &args.other_model {
        None => (of(&loaded, &other, args, context)?, None),
        Some(model) => {
            let loaded = context.load(model, WeightsKind::F32)?;
            (
                of(&loaded, &other, args, context)?,
                Some(loaded.resolved.name),
            )
        }
    };
    if first.rows() != second.rows() {
        bail!(
            "the models have {} and {} heads, which cannot be compared one by one",
            first.rows(),
            second.rows()
        );
    }
    let table = compared(&first, &second, &args.by)?;
    if context.json {
        let model = loaded.resolved.name.as_str();
        return output::print_json(&Report {
            format: "lookback-compare/1",
            by: &args.by,
            first: Side { model, text: &text },
            second: Side {
                model: second_model.as_deref().unwrap_or(model),
                text: &other,
            },
            heads: &table,
        });
    }
    let sorted = table.sorted_by("size").unwrap_or_default().head(args.top);
    let shown = sorted.of_columns(&["head", "first", "second", "difference"]);
    let mut out = output::stdout();
    let heading = format!("{} of each head, the greatest differences first", args.by);
    let parts: &[&str] = match PARTS.contains(&args.by.as_str()) {
        true => &["first", "second", "difference"],
        false => &[],
    };
    write_table_of_parts(&mut out, &heading, &shown, parts, context.width())?;
    out.flush()?;
    Ok(())
}

/// The table of all heads; the scores that a model has without a text are in it where they are asked for.
fn of(loaded: &Loaded, text: &str, args: &CompareArgs, context: &Context) -> anyhow::Result<Table> {
    let encoding = context.encode(&loaded.model, text, &args.model, Prefix::Declared)?;
    let trace = {
        let reading = context.reading(encoding.ids.len());
        heads::trace(loaded, &encoding, &reading)?
    };
    let profiles = profiles(&trace, &heads::special(loaded, &encoding))?;
    let table = heads::table(&profiles, None);
    if table
        .columns()
        .iter()
        .any(|column| column.name() == args.by)
    {
        return Ok(table);
    }
    if args.other_model.is_none() {
        let scores = heads::table(&profiles, Some(&heads::model_scores(loaded)?));
        if scores
            .columns()
            .iter()
            .any(|column| column.name() == args.by)
        {
            bail!(
                "{:?} belongs to the model and is the same whatever the text; compare two models by it, with --with-model",
                args.by
            );
        }
        return Ok(scores);
    }
    Ok(heads::table(&profiles, Some(&heads::model_scores(loaded)?)))
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
                    "there is no column {by:?} to compare; there are {}",
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
