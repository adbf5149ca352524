//! The npy format, version 1.0 (NumPy Enhancement Proposal 1).

use std::io::{self, Write};

use super::columns::{Table, Values};

/// What comes before the numbers of an array of this shape, row by row: the magic string, the version, the header's
/// length, and the header. Together they fill a multiple of 64 bytes.
///
/// ```
/// let header = lookback_view::table::npy::header("<f4", &[3, 1000]);
/// assert!(header.starts_with(b"\x93NUMPY\x01\x00") && header.len() % 64 == 0);
/// assert!(header[10..].starts_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1000), }"));
/// ```
///
/// # Panics
/// Where an array has thousands of dimensions, which the format cannot say.
#[must_use]
pub fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let sides: Vec<String> = shape.iter().map(ToString::to_string).collect();
    // A tuple of one has a comma behind it.
    let comma = if sides.len() == 1 { "," } else { "" };
    let sides = sides.join(", ");
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sides}{comma}), }}");
    let unpadded = 10 + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    let length = u16::try_from(header.len()).expect("a shape of few dimensions");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(length.to_le_bytes());
    file.extend(header.as_bytes());
    file
}

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
    fn the_header_is_as_numpy_writes_it() {
        let file = header("<f4", &[3, 1000]);
        assert_eq!(file.len() % 64, 0);
        let length = usize::from(file[8]) + 256 * usize::from(file[9]);
        assert_eq!((length + 10, file.last()), (file.len(), Some(&b'\n')));
        let one = String::from_utf8_lossy(&header("<f8", &[7])).into_owned();
        assert!(one.contains("'shape': (7,), }"), "{one}");
    }

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
