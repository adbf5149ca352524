//! What each key receives.

use lookback_simd::{Line, lines_for};
use ndarray::{Array3, ArrayViewMut1, s};

use super::area::{QueryBlock, Walk};
use super::lanes::{Fold, FoldColumns};
use super::observer::Observer;
use super::tile::Tile;
use crate::Error;

/// The weight that each key receives from all queries, Σ_i w_ij: \[B, H, M\].
///
/// NaN where any of the queries that see the key has NaN weights. Summed in f32 over blocks of about a hundred queries
/// and in f64 over the blocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Received;

/// Sums of a block's visible keys, from `first` on.
#[derive(Debug)]
#[doc(hidden)]
pub struct Columns {
    first: usize,
    sums: Vec<Line>,
}

impl Observer for Received {
    type Block = Columns;
    type Output = Array3<f64>;

    fn start(&self, walk: &Walk) -> Result<Array3<f64>, Error> {
        walk.room("the weight received", &[walk.m(), 2])?;
        Ok(Array3::zeros((walk.b(), walk.h(), walk.m())))
    }

    fn block(&self, block: &QueryBlock) -> Columns {
        let keys = block.visible();
        let first = keys.start / Line::LEN * Line::LEN;
        Columns {
            first,
            sums: vec![Line::ZERO; lines_for(keys.end - first)],
        }
    }

    fn tile(&self, columns: &mut Columns, tile: &Tile) {
        let at = (tile.keys().start - columns.first) / Line::LEN;
        tile.set().run(FoldColumns {
            tile,
            rows: 0..tile.rows().len(),
            fold: Fold::Sum,
            columns: &mut columns.sums[at..],
        });
    }

    fn merge(&self, output: &mut Array3<f64>, block: &QueryBlock, columns: Columns) {
        let out = output.slice_mut(s![block.batch(), block.head(), columns.first..]);
        add(out, Line::flat(&columns.sums));
    }
}

/// Adds f32 to f64.
fn add(mut out: ArrayViewMut1<f64>, sums: &[f32]) {
    for (out, &sum) in out.iter_mut().zip(sums) {
        *out += f64::from(sum);
    }
}
