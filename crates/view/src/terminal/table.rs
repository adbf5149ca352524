//! Rows of cells, column below column.

use super::line::Line;

/// To which side of its column a cell is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Lays out rows with every column as wide as its widest cell, `gap` columns between them, the whole `indent` columns
/// in. Rows may be of different lengths.
pub(super) fn table(
    rows: Vec<Vec<Line>>,
    aligns: &[Align],
    indent: usize,
    gap: usize,
) -> Vec<Line> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|c| {
            rows.iter()
                .filter_map(|row| row.get(c))
                .map(Line::width)
                .max()
                .unwrap_or(0)
        })
        .collect();
    let lay = |row: Vec<Line>| {
        let mut line = Line::new();
        let mut column = indent;
        for (index, cell) in row.into_iter().enumerate() {
            let right = aligns.get(index) == Some(&Align::Right);
            line.pad_to(
                column
                    + if right {
                        widths[index] - cell.width()
                    } else {
                        0
                    },
            );
            line.append(cell);
            column += widths[index] + gap;
        }
        line
    };
    rows.into_iter().map(lay).collect()
}
