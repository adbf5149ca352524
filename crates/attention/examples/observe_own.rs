//! An observer of one's own: how far back each query must look to find nine tenths of its weight.
//!
//! `cargo run --release -p lookback-attention --example observe_own`

#![expect(clippy::print_stdout, reason = "its purpose")]

use lookback_attention::forward::forward;
use lookback_attention::observe::{Entropy, Observer, QueryBlock, Tile, Walk, observe};
use lookback_attention::{Error, Scoring};
use ndarray::{Array3, Array4, Axis, s};

/// How far back each query must look to see this part of its weight: \[B, H, N\], in tokens.
struct Reach {
    part: f32,
}

impl Observer for Reach {
    /// For each row of a block: the keys that may be left out, from the first on, as their weight and their number.
    type Block = Vec<(f32, usize)>;
    type Output = Array3<usize>;

    fn start(&self, walk: &Walk) -> Result<Array3<usize>, Error> {
        Ok(Array3::zeros((walk.b(), walk.h(), walk.n())))
    }

    fn block(&self, block: &QueryBlock) -> Vec<(f32, usize)> {
        vec![(0.0, 0); block.rows().len()]
    }

    fn tile(&self, rows: &mut Vec<(f32, usize)>, tile: &Tile) {
        // Keys come in ascending order: the far ones first.
        for (row, sum) in tile.iter().zip(tile.row_sums()) {
            let (before, key) = &mut rows[row.in_block];
            if *before + sum <= 1.0 - self.part {
                *before += sum;
                *key = tile.keys().end;
                continue;
            }
            for (weight, at) in row.weights.iter().zip(tile.keys()) {
                if at == *key && *before + weight <= 1.0 - self.part {
                    *before += weight;
                    *key = at + 1;
                }
            }
        }
    }

    fn merge(&self, output: &mut Array3<usize>, block: &QueryBlock, rows: Vec<(f32, usize)>) {
        let out = output.slice_mut(s![block.batch(), block.head(), block.rows()]);
        for ((out, (_, key)), query) in out.into_iter().zip(rows).zip(block.rows()) {
            *out = query - key.min(query);
        }
    }
}

fn main() -> Result<(), Error> {
    // Four heads, from one that hardly tells keys apart to one that is sure of few.
    let x = Array4::from_shape_fn((1, 4, 2000, 32), |(_, h, i, c)| {
        (h + 1) as f32 * ((i * 37 + c * 101) as f32).sin()
    });
    let scoring = Scoring::default();
    let lse = forward(x.view(), x.view(), x.view(), &scoring)?.lse;

    // Two questions, one walk: no weight is computed twice, and none is stored.
    let observer = (Reach { part: 0.9 }, Entropy);
    let (reach, entropy) = observe(x.view(), x.view(), lse.view(), &scoring, &observer)?;

    for h in 0..4 {
        let reach = reach.slice(s![0, h, ..]).mapv(|x| x as f32);
        let entropy = entropy.slice(s![0, h, ..]);
        println!(
            "head {h}: nine tenths of the weight lie within {:6.1} tokens, entropy {:.2} nats (means over queries)",
            reach
                .mean_axis(Axis(0))
                .map_or(f32::NAN, |x| x.into_scalar()),
            entropy
                .mean_axis(Axis(0))
                .map_or(f32::NAN, |x| x.into_scalar()),
        );
    }
    Ok(())
}
