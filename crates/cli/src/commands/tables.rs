//! Tables as files.

use std::path::Path;

use lookback_view::table::{Kind, Table};
use serde::Serialize;

use crate::context::Context;
use crate::output::{self, count};
use crate::run::InputSize;

/// A saved table as JSON.
#[derive(Serialize)]
struct Saved<'a> {
    file: &'a Path,
    rows: usize,
    columns: Vec<&'a str>,
    #[serde(flatten)]
    size: InputSize,
}

/// Saves a table, and says so.
pub(super) fn save(
    file: &Path,
    table: &Table,
    size: InputSize,
    context: &Context,
) -> anyhow::Result<()> {
    let kind = Kind::of(file)?;
    output::write_file(file, |out| Ok(table.write(kind, out)?))?;
    let columns: Vec<&str> = table.columns().iter().map(|c| c.name()).collect();
    let line = format!(
        "saved {} of {} to {}",
        count(table.rows(), "row"),
        count(columns.len(), "column"),
        file.display()
    );
    let saved = Saved {
        file,
        rows: table.rows(),
        columns,
        size,
    };
    output::wrote(context.json, &saved, &[line])
}
