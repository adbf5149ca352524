//! Each query's largest weight.

use ndarray::{Array3, s};

use super::area::{QueryBlock, Walk};
use super::observer::Observer;
use super::tile::Tile;
use crate::Error;

/// Each query's largest weight, max_j w_ij: \[B, H, N\].
///
/// NaN where the query has weight on no key, for then there is none, and where any of its weights is NaN.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowMax;

impl Observer for RowMax {
    type Block = Vec<f32>;
    type Output = Array3<f32>;

    fn start(&self, walk: &Walk) -> Result<Array3<f32>, Error> {
        Ok(Array3::zeros((walk.b(), walk.h(), walk.n())))
    }

    fn block(&self, block: &QueryBlock) -> Vec<f32> {
        vec![0.0; block.rows().len()]
    }

    fn tile(&self, maxima: &mut Vec<f32>, tile: &Tile) {
        for (max, &of_tile) in maxima[tile.first_in_block()..]
            .iter_mut()
            .zip(tile.row_maxima())
        {
            if of_tile > *max || of_tile.is_nan() {
                *max = of_tile;
            }
        }
    }

    fn merge(&self, output: &mut Array3<f32>, block: &QueryBlock, maxima: Vec<f32>) {
        let mut out = output.slice_mut(s![block.batch(), block.head(), block.rows()]);
        for (out, max) in out.iter_mut().zip(maxima) {
            *out = if max == 0.0 { f32::NAN } else { max };
        }
    }

    fn wants_row_statistics(&self) -> bool {
        true
    }
}
