//! What this processor can do, to hold results against.

use std::hint::black_box;
use std::time::Instant;

use lookback_simd::{InstructionSet, Isa, Kernel, Line, RegisterTile};
use rayon::prelude::*;

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
        let mut tile = I::WideTile::filled(isa.splat(black_box(1.0)));
        let (a, b) = (isa.splat(black_box(0.999_999)), isa.splat(black_box(1e-6)));
        for _ in 0..self.rounds {
            for r in 0..I::WideTile::ROWS {
                for sum in tile.row_mut(r).as_mut() {
                    *sum = isa.mul_add(*sum, a, b);
                }
            }
        }
        let mut line = Line::ZERO;
        for r in 0..I::WideTile::ROWS {
            for &sum in tile.row(r).as_ref() {
                let total = isa.add(isa.load(&line.0), sum);
                isa.store(total, &mut line.0);
            }
        }
        black_box(line);
        (2 * I::LANES * I::WideTile::ROWS * I::WideTile::VECTORS * self.rounds) as f64
    }
}

/// Bytes a second, in units of 10⁹, at which the current threads read `memory` once from beginning to end and add it up:
/// what nothing that reads as much can pass, if `memory` is larger than the caches.
pub fn read_gbs(set: InstructionSet, memory: &[f32]) -> f64 {
    /// 1 MiB: small enough to share out evenly, large enough for the prefetchers to run.
    const PIECE: usize = 1 << 18;
    let start = Instant::now();
    let pieces = memory.par_chunks(PIECE).map(|memory| set.run(Read(memory)));
    black_box(pieces.sum::<f32>());
    size_of_val(memory) as f64 / start.elapsed().as_secs_f64() / 1e9
}

/// The sum of some memory, in several chains.
struct Read<'a>(&'a [f32]);

impl Kernel for Read<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f32 {
        let mut sums = [isa.splat(0.0); 8];
        for part in self.0.chunks_exact(8 * I::LANES) {
            for i in 0..8 {
                sums[i] = isa.add(sums[i], isa.load(&part[i * I::LANES..]));
            }
        }
        sums.into_iter().map(|sum| isa.sum(sum)).sum()
    }
}
