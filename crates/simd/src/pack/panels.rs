//! The right operand: sixteen columns at a time as panels.

use ndarray::ArrayView2;

use super::rows::ContiguousRows;
use crate::isa::Isa;
use crate::line::{Line, lines_for};
use crate::widen::{Widen, widen};

/// Packs a matrix that is given transposed, \[columns, depth\], as `[columns/16 rounded up][depth][16]`: 0 beyond the last column.
///
/// # Panics
/// If the depth is 0, or `lines` are not as many as that takes.
#[inline(always)]
pub fn pack_transposed<I: Isa, E: Widen>(isa: I, matrix: ArrayView2<E>, lines: &mut [Line]) {
    let (columns, depth) = matrix.dim();
    assert_eq!(
        lines.len(),
        lines_for(columns) * depth,
        "lines of the panels"
    );
    let matrix = ContiguousRows::new(matrix);
    for (panel, lines) in lines.chunks_exact_mut(depth).enumerate() {
        let first = panel * Line::LEN;
        let mut rows: [&[E]; 16] = [&[]; 16];
        for (t, row) in rows.iter_mut().enumerate().take(columns - first) {
            *row = matrix.row(first + t);
        }
        // Sixteen rows side by side are more than the processor foresees.
        for row in first + Line::LEN..(first + 2 * Line::LEN).min(columns) {
            isa.prefetch(matrix.row(row));
        }
        let (whole, rest) = lines.as_chunks_mut::<{ Line::LEN }>();
        for (column, block) in whole.iter_mut().enumerate() {
            transpose_columns(isa, &rows, column * Line::LEN, block);
        }
        if !rest.is_empty() {
            let mut block = [Line::ZERO; 16];
            transpose_columns(isa, &rows, depth - rest.len(), &mut block);
            rest.copy_from_slice(&block[..rest.len()]);
        }
    }
}

/// The columns `column`, …, `column + 15` of sixteen rows, a line each; 0 for an empty row and beyond the last column.
#[inline(always)]
fn transpose_columns<I: Isa, E: Widen>(
    isa: I,
    rows: &[&[E]; 16],
    column: usize,
    block: &mut [Line; 16],
) {
    for t in 0..16 {
        block[t] = match rows[t] {
            [] => Line::ZERO,
            row => widen(isa, &row[column..]),
        };
    }
    isa.transpose(block);
}

/// Packs `matrix` \[depth, columns\] as `[columns/16 rounded up][depth][16]`, 0 beyond the last column; whether every value is
/// finite.
///
/// # Panics
/// If `lines` are too few.
#[inline(always)]
pub fn pack_panels<I: Isa, E: Widen>(isa: I, matrix: ArrayView2<E>, lines: &mut [Line]) -> bool {
    /// Rows that are asked for before they are read.
    const AHEAD: usize = 16;
    let (depth, columns) = matrix.dim();
    let matrix = ContiguousRows::new(matrix);
    // 0 · x is 0 for finite x and NaN for others.
    let mut zeros = isa.splat(0.0);
    for t in 0..depth {
        if t + AHEAD < depth {
            isa.prefetch(matrix.row(t + AHEAD));
        }
        let row = matrix.row(t);
        // A chain for each row, so that rows do not wait for each other.
        let mut of_row = isa.splat(0.0);
        for panel in 0..lines_for(columns) {
            let line = &mut lines[panel * depth + t];
            let values = &row[panel * Line::LEN..];
            if values.len() < Line::LEN {
                *line = widen(isa, values);
            }
            for part in 0..Line::LEN / I::LANES {
                let part_of_line = line.part_mut(part, I::LANES);
                let x = match values.len() < Line::LEN {
                    true => isa.load(part_of_line),
                    false => E::load(isa, &values[part * I::LANES..]),
                };
                isa.store(x, part_of_line);
                of_row = isa.mul_add(x, isa.splat(0.0), of_row);
            }
        }
        zeros = isa.add(zeros, of_row);
    }
    isa.sum(zeros) == 0.0
}
