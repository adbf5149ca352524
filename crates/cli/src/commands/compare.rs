//! `compare`: the heads of a model on two texts, or of two models on one.

use std::ffi::OsString;
use std::io::Write as _;

use anyhow::bail;
use clap::Args;
use lookback_heads::head;
use lookback_heads::passport::{Passport, passports};
use lookback_model::{Prefix, WeightsKind};
use lookback_view::table::{Table, Values};
use lookback_view::terminal::write_table;

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
    let second = match &args.other_model {
        None => of(&loaded, &other, args, context)?,
        Some(model) => of(
            &context.load(model, WeightsKind::F32)?,
            &other,
            args,
            context,
        )?,
    };
    if first.len() != second.len() {
        bail!(
            "the models have {} and {} heads, which cannot be compared one by one",
            first.len(),
            second.len()
        );
    }
    let table = compared(&first, &second, &args.by)?;
    if context.json {
        return output::print_json(&table);
    }
    let sorted = table.sorted_by("size").unwrap_or(table).head(args.top);
    let mut out = output::stdout();
    let heading = format!("{} of each head, the greatest differences first", args.by);
    write_table(&mut out, &heading, &sorted, context.width())?;
    out.flush()?;
    Ok(())
}

fn of(
    loaded: &Loaded,
    text: &str,
    args: &CompareArgs,
    context: &Context,
) -> anyhow::Result<Vec<Passport>> {
    let encoding = context.encode(&loaded.model, text, &args.model, Prefix::Declared)?;
    let trace = {
        let reading = context.reading(encoding.ids.len());
        heads::trace(loaded, &encoding, &reading)?
    };
    Ok(passports(&trace, &heads::special(loaded, &encoding))?)
}

fn compared(first: &[Passport], second: &[Passport], by: &str) -> anyhow::Result<Table> {
    let column = |passports: &[Passport]| {
        let table = heads::table(passports, None);
        let found = table
            .columns()
            .iter()
            .find(|c| c.name() == by)
            .map(|c| c.values().clone());
        let names: Vec<String> = table
            .columns()
            .iter()
            .map(|c| c.name().to_owned())
            .collect();
        match found {
            Some(Values::Real(values)) => Ok(values),
            _ => Err(anyhow::anyhow!(
                "there is no column {by:?} to compare; there are {}",
                names[3..].join(", ")
            )),
        }
    };
    let (a, b) = (column(first)?, column(second)?);
    let mut table = Table::new();
    table.text("head", first.iter().map(|p| head::name(p.head)));
    table.real("first", a.iter().copied());
    table.real("second", b.iter().copied());
    table.real("difference", a.iter().zip(&b).map(|(a, b)| b - a));
    table.real("size", a.iter().zip(&b).map(|(a, b)| (b - a).abs()));
    Ok(table)
}
