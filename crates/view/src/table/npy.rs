//! The npy format, version 1.0 (NumPy Enhancement Proposal 1).

use std::io::{self, Write};

use crate::npy::header;

use super::columns::{Table, Values};

pub(super) fn write(table: &Table, out: &mut impl Write) -> io::Result<()> {
    let of = |values: &Values, row: usize| match values {
        Values::Text(_) => f64::NAN,
        Values::Integer(values) => values[row] as f64,
        Values::Real(values) => values[row],
    };
    let columns = table.columns().iter().map(|column| column.values());
    let columns: Vec<&Values> = columns.filter(|v| !matches!(v, Values::Text(_))).collect();
    out.write_all(&header("<f8", &[table.rows(), columns.len()]))?;
    for row in 0..table.rows() {
        for values in &columns {
            out.write_all(&of(values, row).to_le_bytes())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_of_the_numbers() {
        let mut table = Table::new();
        table.text("name", ["a".to_owned(), "b".to_owned()]);
        table.integer("n", [1, 2]);
        table.real("x", [0.5, f64::NAN]);
        let mut out = Vec::new();
        write(&table, &mut out).unwrap();
        assert_eq!(out.len() % 64, 4 * 8);
        let header = String::from_utf8_lossy(&out[10..out.len() - 32]).into_owned();
        assert!(header.contains("'shape': (2, 2)") && header.ends_with('\n'));
        let numbers: Vec<f64> = out[out.len() - 32..]
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect();
        assert_eq!(numbers[..3], [1.0, 0.5, 2.0]);
        assert!(numbers[3].is_nan());
    }
}
