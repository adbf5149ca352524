//! Sums out to the gradients.

use lookback_simd::{Isa, Line, lines_for};
use ndarray::ArrayViewMut2;

use super::pack::write;
use super::products::{KeySums, QuerySums};

/// Writes the sums of a block's keys, times `factor`, to `out` \[keys, d\].
#[inline(always)]
pub(super) fn write_keys<I: Isa>(isa: I, sums: &KeySums, factor: f32, mut out: ArrayViewMut2<f32>) {
    let factor = isa.splat(factor);
    for j in 0..out.nrows() {
        write_row(isa, &sums.lines[j..], sums.height, factor, out.row_mut(j));
    }
}

/// Writes the sums of the queries from `first` on, times `factor`, to `out` \[queries, d_k\].
#[inline(always)]
pub(super) fn write_queries<I: Isa>(
    isa: I,
    sums: &QuerySums,
    factor: f32,
    (first, mut out): (usize, ArrayViewMut2<f32>),
) {
    let factor = isa.splat(factor);
    let (queries, d_k) = out.dim();
    // Sixteen queries by lines of sixteen channels: `[d_k/16][16][16]`.
    let mut rows = vec![[Line::ZERO; Line::LEN]; lines_for(d_k)];
    for panel in first / Line::LEN..(first + queries).div_ceil(Line::LEN) {
        let channels = &sums.lines[panel * sums.height..][..d_k];
        for (block, channels) in rows.iter_mut().zip(channels.chunks(Line::LEN)) {
            block[..channels.len()].copy_from_slice(channels);
            isa.transpose(block);
        }
        let start = panel * Line::LEN;
        for i in start.max(first)..(start + Line::LEN).min(first + queries) {
            let lines = &rows.as_flattened()[i - start..];
            write_row(isa, lines, Line::LEN, factor, out.row_mut(i - first));
        }
    }
}

/// Writes every `step`-th of `lines`, sixteen channels each, one after another.
#[inline(always)]
fn write_row<I: Isa>(
    isa: I,
    lines: &[Line],
    step: usize,
    factor: I::V,
    mut row: ndarray::ArrayViewMut1<f32>,
) {
    match row.as_slice_mut() {
        Some(row) => {
            for (line, out) in row.chunks_mut(Line::LEN).enumerate() {
                write(isa, &lines[line * step], factor, out);
            }
        }
        None => {
            let mut sixteen = [0.0; Line::LEN];
            for (c, out) in row.iter_mut().enumerate() {
                if c % Line::LEN == 0 {
                    write(isa, &lines[c / Line::LEN * step], factor, &mut sixteen);
                }
                *out = sixteen[c % Line::LEN];
            }
        }
    }
}
