//! What this processor can do, to hold results against: measured, in the same run.

use std::hint::black_box;
use std::time::Instant;

use crate::Mask;
use crate::isa::{InstructionSet, Isa, Kernel, Line, Tile};

/// Floating-point operations a second, in units of 10⁹, of independent multiply-adds in registers on this thread: what no
/// kernel on `set` can pass. Takes about `millis` milliseconds.
pub fn peak_gflops(set: InstructionSet, millis: u64) -> f64 {
    let mut rounds = 1 << 14;
    loop {
        let start = Instant::now();
        let flops = set.run(Peak { rounds });
        let elapsed = start.elapsed();
        if elapsed.as_millis() as u64 >= millis {
            return flops / elapsed.as_secs_f64() / 1e9;
        }
        rounds *= 2;
    }
}

/// Chains of multiply-adds, as many as a tile has accumulators.
struct Peak {
    rounds: usize,
}

impl Kernel for Peak {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f64 {
        let mut tile = I::Tile::filled(isa.splat(black_box(1.0)));
        let (a, b) = (isa.splat(black_box(0.999_999)), isa.splat(black_box(1e-6)));
        for _ in 0..self.rounds {
            for r in 0..I::Tile::ROWS {
                for sum in tile.row_mut(r).as_mut() {
                    *sum = isa.mul_add(*sum, a, b);
                }
            }
        }
        let mut line = Line::ZERO;
        for r in 0..I::Tile::ROWS {
            for &sum in tile.row(r).as_ref() {
                let total = isa.add(isa.load(&line.0), sum);
                isa.store(total, &mut line.0);
            }
        }
        black_box(line);
        (2 * I::LANES * I::Tile::ROWS * I::Tile::VECTORS * self.rounds) as f64
    }
}

/// Floating-point operations that a forward pass needs: 2·(d_k + d_v) for each visible pair of query and key. The
/// exponentials are not counted.
pub fn forward_flops(
    heads: usize,
    (n, m): (usize, usize),
    (d_k, d_v): (usize, usize),
    mask: &Mask,
) -> f64 {
    let pairs: usize = (0..n).map(|i| mask.visible(i, m).len()).sum();
    (heads * 2 * (d_k + d_v)) as f64 * pairs as f64
}
