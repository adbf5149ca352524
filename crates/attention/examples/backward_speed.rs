//! Backward pass, alone and with the forward pass, against the processor's multiply-add peak, all measured in turn.
//!
//! `cargo run --release -p lookback-attention --example backward_speed -- [SET] [THREADS] [SECONDS A CASE]`

#![expect(clippy::print_stdout, reason = "its purpose")]

use std::time::Instant;

use lookback_attention::backward::{Gradients, Inputs, Options, backward_into_on};
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
            pool.install(|| measure(set, case, seconds));
        }
    }
}

/// Measures one case against the peak, in turn, and prints a line.
fn measure(set: InstructionSet, [b, h, h_kv, n, d]: [usize; 5], seconds: f64) {
    let array = |heads, salt: usize| {
        Array4::from_shape_fn((b, heads, n, d), |(b, h, i, c)| {
            let x = (b * 7919 + h * 104_729 + i * 1_299_709 + c * 15_485_863 + salt)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ((x >> 40) as f32 / (1 << 24) as f32 - 0.5) * 3.46
        })
    };
    let (q, k, v, d_o) = (array(h, 1), array(h_kv, 2), array(h_kv, 3), array(h, 4));
    let scoring = Scoring::default();
    let flops = forward_flops(b * h, (n, n), (d, d), &Mask::default());
    let (mut both, mut alone, mut times, mut peaks) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut best = f64::INFINITY;
    // Memory fresh from the system costs a page fault every 4 KB, which a training step pays once and not each time.
    let mut gradients = Gradients {
        dq: q.clone(),
        dk: k.clone(),
        dv: v.clone(),
        d_bias: None,
        d_sinks: None,
    };
    let began = Instant::now();
    while began.elapsed().as_secs_f64() < seconds || times.len() < 5 {
        let peak: f64 = rayon::broadcast(|_| peak_gflops(set, 2)).iter().sum();
        let start = Instant::now();
        let Output { o, lse } =
            forward_on(set, q.view(), k.view(), v.view(), &scoring).expect("valid");
        let middle = Instant::now();
        let inputs = Inputs {
            q: q.view(),
            k: k.view(),
            v: v.view(),
            o: o.view(),
            lse: lse.view(),
            d_o: d_o.view(),
        };
        let (options, out) = (Options::default(), gradients.view_mut());
        backward_into_on(set, &inputs, &options, &scoring, out).expect("valid");
        let end = Instant::now();
        std::hint::black_box(&mut gradients);
        let (whole, backward) = ((end - start).as_secs_f64(), (end - middle).as_secs_f64());
        both.push(3.5 * flops / whole / 1e9 / peak);
        alone.push(2.5 * flops / backward / 1e9 / peak);
        times.push(whole);
        peaks.push(peak);
        best = best.min(backward);
    }
    for list in [&mut both, &mut alone, &mut times, &mut peaks] {
        list.sort_by(f64::total_cmp);
    }
    let at = |list: &[f64], part: f64| list[((list.len() - 1) as f64 * part) as usize];
    // Of the fastest run against the median peak: what an undisturbed machine gives.
    let best_of = |part: f64, time: f64| part * flops / time / 1e9 / at(&peaks, 0.5) * 100.0;
    println!(
        "B {b} H {h}/{h_kv} N {n:5} d {d:3}: forward + backward {:8.2} ms, {:4.1}% of peak ({:4.1} to {:4.1}, best {:4.1}); backward {:4.1}% ({:4.1} to {:4.1}, best {:4.1}); peak {:.0}, {} runs",
        at(&times, 0.5) * 1e3,
        at(&both, 0.5) * 100.0,
        at(&both, 0.25) * 100.0,
        at(&both, 0.75) * 100.0,
        best_of(3.5, times[0]),
        at(&alone, 0.5) * 100.0,
        at(&alone, 0.25) * 100.0,
        at(&alone, 0.75) * 100.0,
        best_of(2.5, best),
        at(&peaks, 0.5),
        times.len(),
    );
}
