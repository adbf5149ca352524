//! Each query's entropy.

use std::f64::consts::LN_2;

use ndarray::{Array3, s};

use super::area::{QueryBlock, Walk};
use super::observer::Observer;
use super::tile::Tile;
use crate::Error;

/// The entropy of each query's weights in nats, −Σ_j w_ij·ln w_ij over the keys: \[B, H, N\].
///
/// A sink is not among the keys. NaN where the query has weight on no key, for then there is none, and where any of its
/// weights is NaN.
///
/// (Shannon, "A Mathematical Theory of Communication", 1948. As ln w = score − LSE is known before w is, it takes no
/// logarithm.)
#[derive(Debug, Clone, Copy, Default)]
pub struct Entropy;

/// For each row of a block: −Σ w·log₂w, and Σ w.
#[derive(Debug)]
#[doc(hidden)]
pub struct Sums(Vec<[f64; 2]>);

impl Observer for Entropy {
    type Block = Sums;
    type Output = Array3<f32>;

    fn start(&self, walk: &Walk) -> Result<Array3<f32>, Error> {
        Ok(Array3::zeros((walk.b(), walk.h(), walk.n())))
    }

    fn block(&self, block: &QueryBlock) -> Sums {
        Sums(vec![[0.0; 2]; block.rows().len()])
    }

    fn tile(&self, sums: &mut Sums, tile: &Tile) {
        let rows = &mut sums.0[tile.first_in_block()..];
        let terms = tile.row_sums().iter().zip(tile.row_entropies());
        for (sums, (&mass, &term)) in rows.iter_mut().zip(terms) {
            sums[0] += f64::from(term);
            sums[1] += f64::from(mass);
        }
    }

    fn merge(&self, output: &mut Array3<f32>, block: &QueryBlock, sums: Sums) {
        let mut out = output.slice_mut(s![block.batch(), block.head(), block.rows()]);
        for (out, [sum, mass]) in out.iter_mut().zip(sums.0) {
            // Weights that rounding carried above 1 would make it a hair negative; `max` would drop a NaN.
            let entropy = sum * LN_2;
            *out = match mass == 0.0 {
                true => f32::NAN,
                false if entropy < 0.0 => 0.0,
                false => entropy as f32,
            };
        }
    }

    fn wants_row_statistics(&self) -> bool {
        true
    }
}
