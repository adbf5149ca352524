//! Comma-separated values.

use std::io::{self, Write};

use super::columns::{Table, Values};

pub(super) fn write(table: &Table, out: &mut impl Write) -> io::Result<()> {
    let names = table.columns().iter().map(|column| quoted(column.name()));
    writeln!(out, "{}", names.collect::<Vec<_>>().join(","))?;
    for row in 0..table.rows() {
        let cells = table.columns().iter().map(|column| match column.values() {
            Values::Text(values) => quoted(&values[row]),
            Values::Integer(values) => values[row].to_string(),
            Values::Real(values) if values[row].is_nan() => String::new(),
            Values::Real(values) => values[row].to_string(),
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join(","))?;
    }
    Ok(())
}

/// A cell in quotes where it holds what would end it.
fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_would_break_a_row_are_quoted() {
        let mut table = Table::new();
        table.text("a,b", ["x".to_owned(), "say \"hi\",\nnow".to_owned()]);
        let mut out = Vec::new();
        write(&table, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"a,b\"\nx\n\"say \"\"hi\"\",\nnow\"\n"
        );
    }
}
