//! What the profiles of all heads cost beside the prefill that they are about.
//!
//! `cargo run --release -p lookback-heads --example profile_speed [TOKENS] [ROUNDS]`: prefill with a trace and profiles
//! in turn on the default model, medians and their ratio.

use std::time::Instant;

use lookback_heads::profile::profiles;
use lookback_model::store::{self, Silent};
use lookback_model::{Encoding, LoadOptions, Logits, Model, TraceOptions};

#[expect(clippy::print_stdout, reason = "it is what this example is for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|n| n.parse::<usize>());
    let tokens = numbers.next().transpose()?.unwrap_or(2048);
    let rounds = numbers.next().transpose()?.unwrap_or(5);
    let model = Model::load(
        &store::default_model(&Silent)?.path,
        &LoadOptions::default(),
    )?;
    let mut ids = vec![0_u32];
    ids.extend((1..tokens as u32).map(|i| 100 + i * 7919 % 40_000));
    let encoding = Encoding {
        spans: vec![(0, 0); ids.len()],
        ids,
        prefix_tokens: 1,
        prefix_was_in_text: false,
        suffix_tokens: 0,
        text: String::new(),
    };
    let options = TraceOptions {
        logits: Logits::None,
        ..TraceOptions::default()
    };
    let (mut read, mut looked) = (Vec::new(), Vec::new());
    for _ in 0..=rounds {
        let start = Instant::now();
        let trace = model.trace(&encoding, &options, &())?.trace;
        read.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        profiles(&trace, &[])?;
        looked.push(start.elapsed().as_secs_f64());
    }
    // The first round warms up.
    let median = |times: &mut Vec<f64>| {
        times.remove(0);
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (read, looked) = (median(&mut read), median(&mut looked));
    println!(
        "{tokens} tokens, {} threads: prefill {read:.2} s, profiles {looked:.2} s, ratio {:.2}",
        std::thread::available_parallelism()?,
        looked / read
    );
    Ok(())
}
