//! Forward pass against the processor's multiply-add peak, both measured in turn.
//!
//! `cargo run --release -p lookback-attention --example forward_speed -- [SET] [THREADS] [SECONDS A CASE]`

#![expect(clippy::print_stdout, reason = "its purpose")]

use std::time::Instant;

use lookback_attention::forward::{Output, forward_on};
use lookback_attention::measure::{forward_flops, peak_gflops};
use lookback_attention::{InstructionSet, Mask, Scoring};
use ndarray::Array4;

/// Batch, heads, key/value heads, tokens, head dimension.
const CASES: [[usize; 5]; 8] = [
    [1, 12, 12, 512, 64],
    [1, 12, 12, 1024, 64],
    [1, 12, 12, 2048, 64],
    [1, 12, 12, 4096, 64],
    [1, 12, 12, 8192, 64],
    [1, 9, 3, 2048, 64],
    [1, 32, 32, 2048, 128],
    [8, 12, 12, 256, 64],
];

fn main() {
    let mut args = std::env::args().skip(1);
    let set = args
        .next()
        .unwrap_or_else(|| InstructionSet::best().name().to_owned());
    let set = InstructionSet::named(&set).expect("avx512, avx2 or portable");
    let threads: usize = args
        .next()
        .map_or(1, |t| t.parse().expect("a number of threads"));
    let seconds: f64 = args
        .next()
        .map_or(1.0, |t| t.parse().expect("a number of seconds"));
    let only: Option<usize> = args.next().map(|t| t.parse().expect("a case"));
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("a pool");
    println!(
        "{} on {threads} threads; medians, and quartiles of the ratio",
        set.name()
    );
    for (index, case) in CASES.into_iter().enumerate() {
        if only.is_none_or(|only| only == index) {
            pool.install(|| measure(set, case, threads, seconds));
        }
    }
}

/// Measures one case against the peak, in turn, and prints a line.
fn measure(set: InstructionSet, [b, h, h_kv, n, d]: [usize; 5], threads: usize, seconds: f64) {
    let array = |heads, salt: usize| {
        Array4::from_shape_fn((b, heads, n, d), |(b, h, i, c)| {
            let x = (b * 7919 + h * 104_729 + i * 1_299_709 + c * 15_485_863 + salt)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ((x >> 40) as f32 / (1 << 24) as f32 - 0.5) * 3.46
        })
    };
    let (q, k, v) = (array(h, 1), array(h_kv, 2), array(h_kv, 3));
    let flops = forward_flops(b * h, (n, n), (d, d), &Mask::default());
    let (mut ratios, mut times, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    while began.elapsed().as_secs_f64() < seconds || times.len() < 5 {
        let peak: f64 = rayon::broadcast(|_| peak_gflops(set, 2)).iter().sum();
        let start = Instant::now();
        let Output { o, .. } =
            forward_on(set, q.view(), k.view(), v.view(), &Scoring::default()).expect("valid");
        let time = start.elapsed().as_secs_f64();
        std::hint::black_box(o);
        ratios.push(flops / time / 1e9 / peak);
        times.push(time);
        peaks.push(peak);
    }
    for list in [&mut ratios, &mut times, &mut peaks] {
        list.sort_by(f64::total_cmp);
    }
    let at = |list: &[f64], part: f64| list[((list.len() - 1) as f64 * part) as usize];
    println!(
        "B {b} H {h}/{h_kv} N {n:5} d {d:3}: {:8.2} ms (best {:8.2}), peak {:5.1} GFLOP/s, {:4.1}% of peak ({:4.1} to {:4.1}, best {:4.1}); {} threads, {} runs",
        at(&times, 0.5) * 1e3,
        times[0] * 1e3,
        at(&peaks, 0.5),
        at(&ratios, 0.5) * 100.0,
        at(&ratios, 0.25) * 100.0,
        at(&ratios, 0.75) * 100.0,
        flops / times[0] / 1e9 / peaks[peaks.len() - 1] * 100.0,
        threads,
        times.len(),
    );
}
