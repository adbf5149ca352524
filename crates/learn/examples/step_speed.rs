//! Time of one training step, and of its attention alone, to be compared with `scripts/measure_training_step.py`.
//!
//! `RAYON_NUM_THREADS=2 CANDLE_NUM_THREADS=2 cargo run --release -p lookback-learn --example step_speed -- [RUNS]`
//!
//! Batch 16, N 256, d 576, 8 heads of 72: two layers of attention and the pointer, frozen embeddings.

#![expect(clippy::print_stdout, reason = "its purpose")]

use std::time::Instant;

use candle_core::{Device, Tensor, Var};
use lookback_learn::attention::{Options, attend};
use lookback_learn::model::{Input, Pointer, loss};
use lookback_learn::optimizer::{AdamW, Moments, norm};
use lookback_learn::{Config, Parameters};

const B: usize = 16;
const N: usize = 256;
const D: usize = 576;
const H: usize = 8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runs: usize = std::env::args()
        .nth(1)
        .map_or(Ok(15), |text| text.parse())?;
    let config = Config {
        d_k: D / H,
        d_v: D / H,
        ..Config::new(D, 3, H)
    };
    let model = Pointer::new(config.clone(), Parameters::new(&config, 0)?)?;
    let candidates: Vec<f32> = (0..B * N * 2)
        .map(|i| f32::from(u8::from(i / 2 % N == 1 + i % 2)))
        .collect();
    let input = Input {
        x: Tensor::randn(0f32, 1.0, (B, N, D), &Device::Cpu)?,
        rows: vec![N - 1; B],
        candidates: Tensor::from_vec(candidates, (B, N, 2), &Device::Cpu)?,
    };
    let answers = [0, 1].repeat(B / 2);
    let (optimizer, mut moments) = (AdamW::default(), Moments::default());
    let step = time(runs, || {
        let loss = loss(&model.masses(&input)?, &answers, 0.2, 1e-6)?;
        let gradients = loss.backward()?;
        let length = norm(model.parameters(), &gradients)?;
        let rate = (1e-4, (1.0 / length).min(1.0));
        optimizer.step(model.parameters(), &gradients, &mut moments, rate)?;
        Ok(())
    })?;
    let head = || Var::randn(0f32, 1.0, (B, H, N, D / H), &Device::Cpu);
    let (q, k, v) = (head()?, head()?, head()?);
    let attention = time(runs, || {
        attend(&q, &k, &v, &Options::default())?
            .sum_all()?
            .backward()?;
        Ok(())
    })?;
    println!(
        "step {step:.1} ms, attention forward + backward {attention:.2} ms (medians of {runs})"
    );
    Ok(())
}

/// Median milliseconds of `f`, after two runs that do not count.
fn time(
    runs: usize,
    mut f: impl FnMut() -> Result<(), Box<dyn std::error::Error>>,
) -> Result<f64, Box<dyn std::error::Error>> {
    let mut times = Vec::with_capacity(runs);
    for run in 0..runs + 2 {
        let began = Instant::now();
        f()?;
        if run >= 2 {
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
