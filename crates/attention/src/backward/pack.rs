//! Packing a matrix both ways at once.

use lookback_simd::pack::ContiguousRows;
use lookback_simd::{Isa, Line, RegisterTile, lines_for, widen};
use ndarray::ArrayView2;

/// A matrix \[count, d\] in the two orders in which the products read it, for strips and panels alike.
#[derive(Debug, Default)]
pub(super) struct PackedMatrix {
    /// `[d/16][count][16]`: a line for a row and sixteen columns.
    rows: Vec<Line>,
    /// `[count/16][d][16]`: a line for a column and sixteen rows, 0 beyond the last row.
    columns: Vec<Line>,
    /// How many rows.
    pub(super) count: usize,
    /// How many columns.
    pub(super) d: usize,
    /// For each sixteen rows, whether every value is finite.
    pub(super) finite: Vec<bool>,
}

impl PackedMatrix {
    /// All rows of the columns `16·line` to `16·line + 15`; and what follows, which begins at the next lines' rows. Strips
    /// may reach beyond the last row: what is there is of no use and does no harm.
    #[inline(always)]
    pub(super) fn rows(&self, line: usize) -> &[Line] {
        &self.rows[line * self.count..]
    }

    /// All columns of the rows `16·line` to `16·line + 15`; and what follows, as with [`rows`](PackedMatrix::rows).
    #[inline(always)]
    pub(super) fn columns(&self, line: usize) -> &[Line] {
        &self.columns[line * self.d..]
    }

    /// Packs `matrix` in place of what was there, and its columns too if `both`.
    #[inline(always)]
    pub(super) fn load<I: Isa>(&mut self, isa: I, matrix: ArrayView2<f32>, both: bool) {
        let (count, d) = matrix.dim();
        (self.count, self.d) = (count, d);
        // With room for a strip at the end.
        self.rows
            .resize(lines_for(d) * count + I::WideTile::ROWS, Line::ZERO);
        if both {
            self.columns
                .resize(lines_for(count) * d + I::WideTile::ROWS, Line::ZERO);
        }
        let matrix = ContiguousRows::new(matrix);
        self.finite.clear();
        for first in (0..count).step_by(Line::LEN) {
            let some = Line::LEN.min(count - first);
            // 0 · x is 0 for finite x and NaN for others.
            let mut zeros = isa.splat(0.0);
            // Row after row, as they stand in memory, which is where the time goes; then from the nearest cache.
            for i in first..first + some {
                for (line, values) in matrix.row(i).chunks(Line::LEN).enumerate() {
                    let packed = &mut self.rows[line * count + i];
                    *packed = widen(isa, values);
                    for part in 0..Line::LEN / I::LANES {
                        let x = isa.load(packed.part(part, I::LANES));
                        zeros = isa.mul_add(x, isa.splat(0.0), zeros);
                    }
                }
            }
            self.finite.push(isa.sum(zeros) == 0.0);
            if !both {
                continue;
            }
            let columns = &mut self.columns[first / Line::LEN * d..][..d];
            for (line, columns) in columns.chunks_mut(Line::LEN).enumerate() {
                let mut block = [Line::ZERO; Line::LEN];
                block[..some].copy_from_slice(&self.rows[line * count + first..][..some]);
                isa.transpose(&mut block);
                columns.copy_from_slice(&block[..columns.len()]);
            }
        }
    }
}

/// Writes `line` times `factor` over the first sixteen values of `out`, or as many as there are.
#[inline(always)]
pub(super) fn write<I: Isa>(isa: I, line: &Line, factor: I::V, out: &mut [f32]) {
    if out.len() >= Line::LEN {
        for part in 0..Line::LEN / I::LANES {
            let x = isa.mul(isa.load(line.part(part, I::LANES)), factor);
            isa.store(x, &mut out[part * I::LANES..]);
        }
    } else {
        let mut product = Line::ZERO;
        for part in 0..Line::LEN / I::LANES {
            let x = isa.mul(isa.load(line.part(part, I::LANES)), factor);
            isa.store(x, product.part_mut(part, I::LANES));
        }
        out.copy_from_slice(&product.0[..out.len()]);
    }
}
