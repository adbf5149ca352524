//! Attention of this project beside that of burn-flex (the Burn framework's CPU backend), on the same operands: causal, f32, 12
//! heads of 64, a table of medians and quartiles in ms, and the medians' ratio.
//!
//! ```text
//! RAYON_NUM_THREADS=2 cargo run --release --manifest-path scripts/burn_flex/Cargo.toml -- [ROUNDS]
//! ```
//!
//! burn-flex is asked as a model asks it (`attention`, which chooses between materialised scores and tiles by the length) and for
//! its tiles alone (`attention_flash`). The three run in turn in each round. Both projects' threads are rayon's.

use std::hint::black_box;
use std::time::Instant;

use burn_backend::TensorData;
use burn_backend::ops::AttentionModuleOptions;
use burn_flex::FlexTensor;
use burn_flex::ops::attention::{attention, attention_flash};
use lookback_attention::forward::forward_into;
use lookback_attention::measure::numbers;
use lookback_attention::{InstructionSet, Scoring};
use ndarray::{Array3, Array4};

const HEADS: usize = 12;
const DEPTH: usize = 64;

/// The same as a tensor.
fn tensor(x: &Array4<f32>) -> FlexTensor {
    let (b, h, n, d) = x.dim();
    FlexTensor::from_data(TensorData::new(
        x.iter().copied().collect::<Vec<f32>>(),
        [b, h, n, d],
    ))
}

/// Seconds that `run` takes.
fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}

/// The quartiles.
fn quartiles(times: &mut [f64]) -> [f64; 3] {
    times.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| times[(times.len() - 1) * quarter / 4])
}

/// That the same was computed.
fn check(found: &Array4<f32>, other: FlexTensor) {
    let other: &[f32] = other.storage();
    let pairs = found.iter().zip(other);
    assert!(
        pairs.into_iter().all(|(x, y)| (x - y).abs() < 1e-4),
        "other numbers"
    );
}

fn main() {
    let rounds: usize = std::env::args()
        .nth(1)
        .map_or(9, |rounds| rounds.parse().expect("a number of rounds"));
    println!(
        "{} on {} threads, {rounds} rounds: medians (quartiles) in ms",
        InstructionSet::best().name(),
        rayon::current_num_threads()
    );
    for n in [512, 1024, 2048] {
        let operands = [1, 2, 3].map(|salt| numbers((1, HEADS, n, DEPTH), salt));
        let [q, k, v] = operands.each_ref().map(|x| x.view());
        let tensors = operands.each_ref().map(tensor);
        let mut o = Array4::zeros((1, HEADS, n, DEPTH));
        let mut lse = Array3::zeros((1, HEADS, n));
        let options = || AttentionModuleOptions {
            is_causal: true,
            ..Default::default()
        };
        let mut times = [const { Vec::new() }; 3];
        for round in 0..=rounds {
            let tensors = || tensors.clone();
            let of_round = [
                seconds(|| {
                    let out = (o.view_mut(), lse.view_mut());
                    forward_into(q, k, v, &Scoring::default(), out.0, out.1).expect("valid");
                }),
                seconds(|| {
                    let [q, k, v] = tensors();
                    black_box(attention(q, k, v, None, None, options()));
                }),
                seconds(|| {
                    let [q, k, v] = tensors();
                    black_box(attention_flash(q, k, v, None, None, options()));
                }),
            ];
            // The first warms the caches.
            if round > 0 {
                for (times, time) in times.iter_mut().zip(of_round) {
                    times.push(time * 1e3);
                }
            }
        }
        let [q, k, v] = tensors;
        check(&o, attention(q, k, v, None, None, options()));
        let [ours, chosen, flash] = times.each_mut().map(|times| quartiles(times));
        let cell = |[low, median, high]: [f64; 3]| format!("{median:.2} ({low:.2}–{high:.2})");
        println!(
            "N {n:5}: lookback {}, burn-flex {} ({:.1}×), its tiles {} ({:.1}×)",
            cell(ours),
            cell(chosen),
            chosen[1] / ours[1],
            cell(flash),
            flash[1] / ours[1]
        );
    }
}
