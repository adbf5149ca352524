//! Heads out of the rows of a product, turned by rotary position embedding (Su et al. 2021,
//! <https://arxiv.org/abs/2104.09864>), half-split.

use std::ops::Range;

use ndarray::{Array2, ArrayViewMut2, ArrayViewMut3};
use rayon::prelude::*;

use super::Norm;
use super::rows::{SEQUENTIAL_ROWS, vectorised};
use crate::spec::Rope;

/// Cosines and sines of a run of positions, both \[rows, dims / 2\], times what rotated vectors are multiplied by.
pub(crate) struct RopeTable {
    cos: Array2<f32>,
    sin: Array2<f32>,
}

impl RopeTable {
    /// Those of runs of positions one after the other, each of which ends a text.
    pub(crate) fn new(rope: &Rope, runs: &[Range<usize>]) -> Self {
        let magnitude = f64::from(rope.magnitude());
        let rows = runs.iter().map(ExactSizeIterator::len).sum();
        let shape = (rows, rope.dims / 2);
        let mut cos = Vec::with_capacity(shape.0 * shape.1);
        let mut sin = Vec::with_capacity(shape.0 * shape.1);
        for run in runs {
            let per_position = rope.frequencies(run.end);
            for position in run.clone() {
                for frequency in &per_position {
                    // Angles are rounded to f32, as the models were trained and their references computed.
                    let angle = f64::from(position as f32 * frequency);
                    cos.push((angle.cos() * magnitude) as f32);
                    sin.push((angle.sin() * magnitude) as f32);
                }
            }
        }
        let table = |values| Array2::from_shape_vec(shape, values).expect("a row a position");
        Self {
            cos: table(cos),
            sin: table(sin),
        }
    }

    /// Turns head `x` \[d_k\] of row `row` into `out`: entries c and c + dims/2 by the row's angle c; those from dims on stay.
    #[inline(always)]
    pub(crate) fn turn(&self, row: usize, x: &[f32], out: &mut [f32]) {
        let half = self.cos.ncols();
        let cos = &self.cos.as_slice().unwrap_or(&[])[row * half..][..half];
        let sin = &self.sin.as_slice().unwrap_or(&[])[row * half..][..half];
        let (x, x_rest) = x.split_at(2 * half);
        let (out, out_rest) = out.split_at_mut(2 * half);
        let (x_low, x_high) = x.split_at(half);
        let (out_low, out_high) = out.split_at_mut(half);
        for c in 0..half {
            out_low[c] = x_low[c] * cos[c] - x_high[c] * sin[c];
            out_high[c] = x_high[c] * cos[c] + x_low[c] * sin[c];
        }
        out_rest.copy_from_slice(x_rest);
    }
}

/// Where a block of heads stands in the rows of a product.
#[derive(Clone, Copy)]
pub(crate) struct HeadColumns {
    /// Columns of the product.
    pub(crate) width: usize,
    /// The first head's first column.
    pub(crate) first: usize,
}

/// Heads as rows of a product hold them, and what is done to them on the way.
#[derive(Clone, Copy)]
pub(crate) struct HeadRows<'a> {
    /// \[rows, width\]
    pub(crate) rows: &'a [f32],
    pub(crate) columns: HeadColumns,
    /// Added to each row of the block: \[heads · d_k\], or empty.
    pub(crate) bias: &'a [f32],
    /// A norm of each head, after the bias.
    pub(crate) norm: Option<&'a Norm>,
    /// Turns them at last; row r of `rows` is row `.1 + r` of the table.
    pub(crate) rotation: Option<(&'a RopeTable, usize)>,
}

/// Copies heads out of rows to `heads` \[heads, rows, d_k\].
pub(crate) fn split_heads(from: HeadRows, heads: ArrayViewMut3<f32>) {
    let copy = |(head, mut out): (usize, ArrayViewMut2<f32>)| {
        let d_k = out.ncols();
        let first = from.columns.first + head * d_k;
        let change = Change::new(&from, head * d_k, d_k);
        let mut changed = vec![0.0; if change.is_some() { d_k } else { 0 }];
        vectorised(
            #[inline(always)]
            || {
                for (row, mut out) in out.outer_iter_mut().enumerate() {
                    let mut x = &from.rows[row * from.columns.width + first..][..d_k];
                    if let Some(change) = &change {
                        change.apply(x, &mut changed);
                        x = &changed;
                    }
                    match (from.rotation, out.as_slice_mut()) {
                        (Some((table, first)), Some(out)) => table.turn(first + row, x, out),
                        (_, Some(out)) => out.copy_from_slice(x),
                        (_, None) => unreachable!("heads are made with contiguous rows"),
                    }
                }
            },
        );
    };
    let parallel = heads.dim().1 > SEQUENTIAL_ROWS;
    let mut heads = heads;
    let heads: Vec<_> = heads.outer_iter_mut().enumerate().collect();
    if parallel {
        heads.into_par_iter().for_each(copy);
    } else {
        heads.into_iter().for_each(copy);
    }
}

/// A bias and a norm of one head.
struct Change<'a> {
    bias: &'a [f32],
    norm: Option<&'a Norm>,
}

impl<'a> Change<'a> {
    /// What is done to the head whose entries begin at `first` of the block; none where nothing is.
    fn new(from: &HeadRows<'a>, first: usize, d_k: usize) -> Option<Self> {
        let bias = match from.bias.is_empty() {
            true => &[],
            false => &from.bias[first..first + d_k],
        };
        let norm = from.norm;
        (!bias.is_empty() || norm.is_some()).then_some(Self { bias, norm })
    }

    #[inline(always)]
    fn apply(&self, x: &[f32], out: &mut [f32]) {
        /// The longest head of any model is 512; a longer one is normalised from a copy.
        const LONGEST: usize = 512;
        match (self.bias.is_empty(), self.norm) {
            (true, Some(norm)) => norm.apply_to_row(x, out),
            (_, None) => add(x, self.bias, out),
            (false, Some(norm)) if x.len() <= LONGEST => {
                let mut sum = [0.0; LONGEST];
                add(x, self.bias, &mut sum[..x.len()]);
                norm.apply_to_row(&sum[..x.len()], out);
            }
            (false, Some(norm)) => {
                let mut sum = vec![0.0; x.len()];
                add(x, self.bias, &mut sum);
                norm.apply_to_row(&sum, out);
            }
        }
    }
}

#[inline(always)]
fn add(x: &[f32], bias: &[f32], out: &mut [f32]) {
    for ((out, x), bias) in out.iter_mut().zip(x).zip(bias) {
        *out = x + bias;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_depend_on_the_distance_only() {
        let table = RopeTable::new(&Rope::plain(10_000.0, 8), std::slice::from_ref(&(0..40)));
        let (q, k) = ([0.3, -1.0, 2.0, 0.5, 1.5, -0.2, 0.1, 0.9], [1.0; 8]);
        let score = |i: usize, j: usize| {
            let (mut q_turned, mut k_turned) = ([0.0; 8], [0.0; 8]);
            table.turn(i, &q, &mut q_turned);
            table.turn(j, &k, &mut k_turned);
            q_turned
                .iter()
                .zip(&k_turned)
                .map(|(a, b)| a * b)
                .sum::<f32>()
        };
        assert!((score(7, 3) - score(39, 35)).abs() < 1e-5);
        assert!((score(7, 3) - score(7, 4)).abs() > 1e-2);
    }

    #[test]
    fn what_is_behind_the_turned_entries_stays() {
        let table = RopeTable::new(&Rope::plain(10_000.0, 2), std::slice::from_ref(&(3..4)));
        let mut out = [0.0; 5];
        table.turn(0, &[1.0, 0.0, 7.0, 8.0, 9.0], &mut out);
        assert_eq!(out[2..], [7.0, 8.0, 9.0]);
        assert!((out[0] - 3.0_f32.cos()).abs() < 1e-6 && (out[1] - 3.0_f32.sin()).abs() < 1e-6);
    }

    #[test]
    fn runs_stand_one_after_the_other() {
        let rope = Rope::plain(10_000.0, 16);
        let table = |runs: &[Range<usize>]| RopeTable::new(&rope, runs);
        let (all, both) = (table(std::slice::from_ref(&(0..10))), table(&[6..10, 0..3]));
        assert_eq!(
            all.cos.slice(ndarray::s![6.., ..]),
            both.cos.slice(ndarray::s![..4, ..])
        );
        assert_eq!(
            all.sin.slice(ndarray::s![..3, ..]),
            both.sin.slice(ndarray::s![4.., ..])
        );
    }
}
