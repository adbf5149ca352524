//! Rotary position embedding (Su et al. 2021, <https://arxiv.org/abs/2104.09864>), half-split.

use ndarray::{Array2, ArrayViewMut2, ArrayViewMut3};
use rayon::prelude::*;

use super::rows::{SEQUENTIAL_ROWS, vectorised};
use crate::checkpoint::Rope;

/// Angle by which each pair of a head turns from one position to the next.
pub(crate) struct RopeFrequencies {
    /// \[d_k / 2\]
    per_position: Vec<f32>,
}

impl RopeFrequencies {
    /// Frequencies of a head of `head_dim` entries: [`Rope::frequencies`].
    pub(crate) fn new(rope: &Rope, head_dim: usize) -> Self {
        Self {
            per_position: rope.frequencies(head_dim),
        }
    }

    /// Cosines and sines for `rows` positions from `first` on.
    pub(crate) fn table(&self, first: usize, rows: usize) -> RopeTable {
        // Angles are rounded to f32, as the models were trained and their references computed.
        let angle = |(row, c): (usize, usize)| (first + row) as f32 * self.per_position[c];
        let shape = (rows, self.per_position.len());
        RopeTable {
            cos: Array2::from_shape_fn(shape, |at| f64::from(angle(at)).cos() as f32),
            sin: Array2::from_shape_fn(shape, |at| f64::from(angle(at)).sin() as f32),
        }
    }
}

/// Cosines and sines of a run of positions, both \[rows, d_k / 2\].
pub(crate) struct RopeTable {
    cos: Array2<f32>,
    sin: Array2<f32>,
}

impl RopeTable {
    /// Turns head `x` \[d_k\] of row `row` into `out`: entries c and c + d_k/2 by the row's angle c.
    #[inline(always)]
    pub(crate) fn turn(&self, row: usize, x: &[f32], out: &mut [f32]) {
        let half = self.cos.ncols();
        let cos = &self.cos.as_slice().unwrap_or(&[])[row * half..][..half];
        let sin = &self.sin.as_slice().unwrap_or(&[])[row * half..][..half];
        let (x_low, x_high) = x.split_at(half);
        let (out_low, out_high) = out.split_at_mut(half);
        for c in 0..half {
            out_low[c] = x_low[c] * cos[c] - x_high[c] * sin[c];
            out_high[c] = x_high[c] * cos[c] + x_low[c] * sin[c];
        }
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

/// Copies heads out of `rows` \[rows, width\] to `heads` \[heads, rows, d_k\], turning them by `table` where there
/// is one; row r of `rows` is row `table_row + r` of the table.
pub(crate) fn split_heads(
    rows: &[f32],
    columns: HeadColumns,
    rotation: Option<(&RopeTable, usize)>,
    heads: ArrayViewMut3<f32>,
) {
    let copy = |(head, mut out): (usize, ArrayViewMut2<f32>)| {
        let d_k = out.ncols();
        let first = columns.first + head * d_k;
        vectorised(
            #[inline(always)]
            || {
                for (row, mut out) in out.outer_iter_mut().enumerate() {
                    let x = &rows[row * columns.width + first..][..d_k];
                    match (rotation, out.as_slice_mut()) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::RopeScaling;

    fn rope(scaling: RopeScaling) -> Rope {
        Rope {
            theta: 10_000.0,
            scaling,
        }
    }

    #[test]
    fn scores_depend_on_the_distance_only() {
        let frequencies = RopeFrequencies::new(&rope(RopeScaling::None), 8);
        let table = frequencies.table(0, 40);
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
    fn scaling_changes_the_frequencies_it_says() {
        let plain = RopeFrequencies::new(&rope(RopeScaling::None), 64).per_position;
        let linear =
            RopeFrequencies::new(&rope(RopeScaling::Linear { factor: 4.0 }), 64).per_position;
        let llama3 = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context_length: 8192,
        };
        let llama3 = RopeFrequencies::new(&rope(llama3), 64).per_position;
        assert!(
            plain
                .iter()
                .zip(&linear)
                .all(|(p, l)| (p / 4.0 - l).abs() <= f32::EPSILON * p)
        );
        // The fastest pair turns over a thousand times in 8,192 positions, the slowest not once.
        assert_eq!(llama3[0], plain[0]);
        assert!((llama3[31] - plain[31] / 8.0).abs() <= f32::EPSILON * plain[31]);
        assert!(llama3.windows(2).all(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn a_table_from_a_later_position_continues_the_first() {
        let frequencies = RopeFrequencies::new(&rope(RopeScaling::None), 16);
        let (all, tail) = (frequencies.table(0, 10), frequencies.table(6, 4));
        assert_eq!(all.cos.slice(ndarray::s![6.., ..]), tail.cos);
        assert_eq!(all.sin.slice(ndarray::s![6.., ..]), tail.sin);
    }
}
