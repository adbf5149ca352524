//! A table of numbers, as wide as the terminal allows.

use std::io::Write;

use super::clean::clean;
use super::flow::paragraph;
use super::line::{Line, write_lines};
use super::number::{Format, percent};
use super::palette::{HEADING, PLAIN, QUIET};
use super::table::{Align, table};
use super::{Error, NARROWEST};
use crate::table::{Table, Values};

/// The columns, by name, that hold parts of a whole: they are drawn as percent.
pub const PARTS: &[&str] = &[
    "sink",
    "sink_rate",
    "self",
    "previous",
    "local",
    "special",
    "value_sink",
    "value_self",
    "value_previous",
    "induction",
    "duplicate",
    "previous_random",
    "retrieval",
    "rollout",
    "share",
    "mean_weight",
];

/// Draws a heading and the rows of a table; columns that do not fit are left out and named. Those of [`PARTS`] are drawn as
/// percent.
///
/// # Errors
/// [`Error::Write`].
pub fn write_table(
    out: &mut impl Write,
    heading: &str,
    of: &Table,
    width: usize,
) -> Result<(), Error> {
    write_table_of_parts(out, heading, of, PARTS, width)
}

/// As [`write_table`], with other columns that are drawn as percent.
///
/// # Errors
/// [`Error::Write`].
pub fn write_table_of_parts(
    out: &mut impl Write,
    heading: &str,
    of: &Table,
    parts: &[&str],
    width: usize,
) -> Result<(), Error> {
    let width = width.max(NARROWEST);
    write_lines(out, paragraph(width, 0, PLAIN, heading), width)?;
    let columns: Vec<(Vec<String>, Align)> = of
        .columns()
        .iter()
        .map(|c| cells(c.name(), c.values(), parts.contains(&c.name())))
        .collect();
    let wide = |cells: &[String]| {
        cells
            .iter()
            .map(|c| super::clean::width(c))
            .max()
            .unwrap_or(0)
    };
    let mut used = 0;
    let fits = columns
        .iter()
        .take_while(|(cells, _)| {
            used += wide(cells) + 2;
            used <= width + 2
        })
        .count()
        .max(1);
    let rows = (0..=of.rows()).map(|row| {
        let style = if row == 0 { HEADING } else { PLAIN };
        let cells = columns[..fits.min(columns.len())].iter();
        cells
            .map(|(cells, _)| Line::of(style, cells[row].clone()))
            .collect()
    });
    let aligns: Vec<Align> = columns.iter().map(|(_, align)| *align).collect();
    write_lines(out, table(rows.collect(), &aligns, 0, 2), width)?;
    if fits < columns.len() {
        let left: Vec<&str> = of.columns()[fits..].iter().map(|c| c.name()).collect();
        let missing = format!(
            "Not drawn for want of room: {} (wider terminal, or --json).",
            left.join(", ")
        );
        write_lines(out, paragraph(width, 0, QUIET, &missing), width)?;
    }
    Ok(())
}

/// The cells of a column under its name, and their side.
fn cells(name: &str, values: &Values, part: bool) -> (Vec<String>, Align) {
    let heading = std::iter::once(clean(&name.replace('_', " ")));
    match values {
        Values::Text(values) => (
            heading.chain(values.iter().map(|v| clean(v))).collect(),
            Align::Left,
        ),
        Values::Integer(values) => (
            heading.chain(values.iter().map(i64::to_string)).collect(),
            Align::Right,
        ),
        Values::Real(values) => {
            let format = Format::of(values.iter().map(|&v| Some(v)));
            let cell = |&v: &f64| match v.is_nan() {
                true => "–".to_owned(),
                false if part => percent(v),
                false => format.show(Some(v)),
            };
            (
                heading.chain(values.iter().map(cell)).collect(),
                Align::Right,
            )
        }
    }
}
