//! What saving a trace as f16 costs beside the forward pass of its attention: `cargo run --release -p lookback-trace --example
//! rounding_speed -- 8192` prints seconds for one layer of 9 heads (3 of keys, d 64), medians of five runs.

#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::time::Instant;

use lookback_attention::forward::forward;
use lookback_trace::{Dtype, Layer, Mask, Meta, SaveOptions, Scoring, Trace};
use ndarray::{Array3, Axis};

fn median(mut run: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let mut seconds = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        run()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[2])
}

fn main() -> Result<(), Box<dyn Error>> {
    let n: usize = std::env::args().nth(1).map_or(Ok(2048), |n| n.parse())?;
    let (heads, kv_heads, d) = (9, 3, 64);
    let mut state = 7_u64;
    let mut number = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    // Scores of a spread of about 3, as a model's are.
    let q = Array3::from_shape_simple_fn((heads, n, d), || 3.0 * number());
    let k = Array3::from_shape_simple_fn((kv_heads, n, d), || 3.0 * number());
    let scoring = Scoring::new(1.0 / (d as f32).sqrt(), Mask::default());
    let [q4, k4] = [&q, &k].map(|x| x.view().insert_axis(Axis(0)));
    let lse = forward(q4, k4, k4, &scoring)?.lse;
    let of_forward = median(|| Ok(forward(q4, k4, k4, &scoring).map(drop)?))?;
    let meta = Meta {
        text: "x".repeat(n),
        tokens: vec![1; n],
        spans: (0..n).map(|i| (i, i + 1)).collect(),
        layers: vec![scoring],
        ..Meta::default()
    };
    let layer = Layer {
        lse: lse.index_axis_move(Axis(0), 0),
        q,
        k,
        ..Layer::default()
    };
    let trace = Trace::new(meta, vec![layer])?;
    let file = tempfile::NamedTempFile::new()?;
    let mut change = None;
    let mut save = |qk_dtype| {
        let options = SaveOptions {
            qk_dtype,
            values: false,
        };
        median(|| {
            change = trace
                .save(file.path(), &options)?
                .qk_rounding_max_weight_change;
            Ok(())
        })
    };
    let (f32, f16) = (save(Dtype::F32)?, save(Dtype::F16)?);
    println!("N {n}: forward {of_forward:.3} s, saved as f32 {f32:.3}, as f16 {f16:.3}");
    println!(
        "the largest change of a weight is {:.1e}",
        change.unwrap_or(0.0)
    );
    Ok(())
}
