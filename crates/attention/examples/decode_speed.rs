//! Decoding against the bandwidth at which the same threads read memory, both measured in turn.
//!
//! `cargo run --release -p lookback-attention --example decode_speed -- [SET] [THREADS] [SECONDS A CASE]`

#![expect(clippy::print_stdout, reason = "its purpose")]

use std::time::Instant;

use half::f16;
use lookback_attention::decode::{Cache, Workspace, decode_into_on};
use lookback_attention::measure::read_gbs;
use lookback_attention::{Element, InstructionSet, Mask, Scoring};
use ndarray::{Array3, Array4};

/// Key/value heads and keys of the cache; 32 query heads, d = 128.
const CASES: [[usize; 2]; 4] = [[32, 4096], [8, 4096], [32, 32_768], [8, 32_768]];

fn main() {
    let mut args = std::env::args().skip(1);
    let set = args
        .next()
        .unwrap_or_else(|| InstructionSet::best().name().to_owned());
    let set = InstructionSet::named(&set).expect("avx512, avx2 or portable");
    let threads: usize = args.next().map_or(2, |t| t.parse().expect("a number"));
    let seconds: f64 = args.next().map_or(1.0, |t| t.parse().expect("a number"));
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("a pool");
    pool.install(|| {
        let memory = vec![1.0f32; 64 << 20];
        for case in CASES {
            measure::<f32>(set, case, seconds, &memory, |x| x);
            measure::<f16>(set, case, seconds, &memory, f16::from_f32);
        }
    });
}

fn measure<E: Element>(
    set: InstructionSet,
    [h_kv, m]: [usize; 2],
    seconds: f64,
    memory: &[f32],
    of: impl Fn(f32) -> E,
) {
    let (h, d) = (32, 128);
    let bytes = 2 * h_kv * m * d * size_of::<E>();
    let ring = (256usize << 20).div_ceil(bytes);
    let mut x = 1u32;
    let mut number = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let caches: Vec<_> = (0..2 * ring)
        .map(|_| Array4::from_shape_simple_fn((1, h_kv, m, d), || of(number())))
        .collect();
    let q = Array4::from_shape_simple_fn((1, h, 1, d), &mut number);
    let scoring = Scoring::default().with_mask(Mask::None);
    let mut workspace = Workspace::new();
    let (mut o, mut lse) = (Array4::zeros((1, h, 1, d)), Array3::zeros((1, h, 1)));
    let (mut ratios, mut rates, mut reads) = (Vec::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    while began.elapsed().as_secs_f64() < seconds || ratios.len() < 5 {
        let read = read_gbs(set, memory);
        let at = ratios.len() % ring * 2;
        let cache = Cache::Contiguous {
            k: caches[at].view(),
            v: caches[at + 1].view(),
        };
        let start = Instant::now();
        decode_into_on(
            set,
            q.view(),
            &cache,
            &scoring,
            &mut workspace,
            o.view_mut(),
            lse.view_mut(),
        )
        .expect("valid");
        let rate = bytes as f64 / start.elapsed().as_secs_f64() / 1e9;
        std::hint::black_box(&mut o);
        ratios.push(rate / read);
        rates.push(rate);
        reads.push(read);
    }
    for list in [&mut ratios, &mut rates, &mut reads] {
        list.sort_by(f64::total_cmp);
    }
    let at = |list: &[f64], part: f64| list[((list.len() - 1) as f64 * part) as usize];
    println!(
        "{} M {m:5} H 32/{h_kv:2} {}: {:5.1} GB/s of {:5.1}: {:4.1}% ({:4.1} to {:4.1}), {} runs",
        set.name(),
        std::any::type_name::<E>(),
        at(&rates, 0.5),
        at(&reads, 0.5),
        at(&ratios, 0.5) * 100.0,
        at(&ratios, 0.25) * 100.0,
        at(&ratios, 0.75) * 100.0,
        ratios.len()
    );
}
