//! Sums out to the gradients.

use ndarray::{ArrayViewMut1, ArrayViewMut2};

use super::products::{KeySums, QuerySums};
use crate::isa::{Isa, Line};

/// Writes the sums of a block's keys, times `factor`, to `out` \[keys, d\].
pub(super) fn write_keys(sums: &KeySums, factor: f32, mut out: ArrayViewMut2<f32>) {
    for (j, mut row) in out.rows_mut().into_iter().enumerate() {
        let lines = sums.lines.iter().skip(j).step_by(sums.height);
        write_row(&mut row, lines, factor);
    }
}

/// Writes the sums of a task's queries, times `factor`, to `out` \[queries, d_k\].
#[inline(always)]
pub(super) fn write_queries<I: Isa>(
    isa: I,
    sums: &QuerySums,
    factor: f32,
    mut out: ArrayViewMut2<f32>,
) {
    let (queries, d_k) = out.dim();
    let mut rows = vec![Line::ZERO; d_k.div_ceil(Line::LEN) * Line::LEN];
    for (panel, channels) in sums.lines.chunks_exact(sums.height).enumerate() {
        for (block, channels) in rows.chunks_exact_mut(16).zip(channels[..d_k].chunks(16)) {
            let Ok(block) = <&mut [Line; 16]>::try_from(block) else {
                continue;
            };
            block[..channels.len()].copy_from_slice(channels);
            isa.transpose(block);
        }
        for lane in 0..Line::LEN.min(queries - panel * Line::LEN) {
            let mut row = out.row_mut(panel * Line::LEN + lane);
            write_row(&mut row, rows.iter().skip(lane).step_by(16), factor);
        }
    }
}

/// Writes lines of sixteen channels one after another.
fn write_row<'a>(row: &mut ArrayViewMut1<f32>, lines: impl Iterator<Item = &'a Line>, factor: f32) {
    match row.as_slice_mut() {
        Some(row) => {
            for (out, line) in row.chunks_mut(Line::LEN).zip(lines) {
                for (out, x) in out.iter_mut().zip(line.0) {
                    *out = x * factor;
                }
            }
        }
        None => {
            for (out, x) in row.iter_mut().zip(lines.flat_map(|line| line.0)) {
                *out = x * factor;
            }
        }
    }
}
