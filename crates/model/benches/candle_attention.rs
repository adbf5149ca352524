//! Attention of this project beside that of candle, on the same operands:
//! `RAYON_NUM_THREADS=2 CANDLE_NUM_THREADS=2 cargo bench -p lookback-model --bench candle_attention`.
//!
//! Causal, f32, one layer's heads. candle's fused attention ("flash") and its unfused formula: matrix product, mask,
//! softmax, matrix product.

use std::hint::black_box;

use candle_core::{D, Device, Tensor};
use candle_nn::attention::{AttnMask, flash_attn};
use candle_nn::ops::softmax_last_dim;
use criterion::{Criterion, criterion_group, criterion_main};
use lookback_attention::Scoring;
use lookback_attention::forward::forward_into;
use ndarray::{Array3, Array4};

const HEADS: usize = 12;
const DEPTH: usize = 64;

/// \[1, H, N, d\] without a pattern, of about unit variance.
fn numbers(n: usize, salt: u32) -> Array4<f32> {
    let mut state = salt;
    Array4::from_shape_simple_fn((1, HEADS, n, DEPTH), || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * 1.732
    })
}

/// The same as a tensor.
fn tensor(x: &Array4<f32>) -> candle_core::Result<Tensor> {
    Tensor::from_iter(x.iter().copied(), &Device::Cpu)?.reshape(x.dim())
}

/// softmax(q·kᵀ/√d + mask)·v.
fn unfused([q, k, v]: [&Tensor; 3], mask: &Tensor) -> candle_core::Result<Tensor> {
    let scores = (q.matmul(&k.t()?)? * (DEPTH as f64).powf(-0.5))?;
    softmax_last_dim(&scores.broadcast_add(mask)?)?.matmul(v)
}

fn causal(criterion: &mut Criterion) {
    for n in [512, 1024, 2048] {
        let operands = [1, 2, 3].map(|salt| numbers(n, salt));
        let [q, k, v] = operands.each_ref().map(|x| tensor(x).expect("a tensor"));
        // candle's fused attention takes [B, N, H, d].
        let turned = [&q, &k, &v].map(|x| {
            let x = x.transpose(1, 2).expect("four dimensions");
            x.contiguous().expect("memory")
        });
        let hidden = (0..n * n).map(|at| {
            if at % n > at / n {
                f32::NEG_INFINITY
            } else {
                0.0
            }
        });
        let mask = Tensor::from_iter(hidden, &Device::Cpu).expect("a tensor");
        let mask = mask.reshape((1, 1, n, n)).expect("as many values");
        let scale = (DEPTH as f32).powf(-0.5);

        let mut group = criterion.benchmark_group(format!("causal h{HEADS} d{DEPTH} n{n}"));
        group.sample_size(10);
        let (mut o, mut lse) = (
            Array4::zeros((1, HEADS, n, DEPTH)),
            Array3::zeros((1, HEADS, n)),
        );
        group.bench_function("lookback", |bencher| {
            let [q, k, v] = operands.each_ref().map(|x| x.view());
            bencher.iter(|| {
                let out = (o.view_mut(), lse.view_mut());
                forward_into(q, k, v, &Scoring::default(), out.0, out.1).expect("valid");
            });
        });
        group.bench_function("candle, fused", |bencher| {
            let [q, k, v] = &turned;
            bencher.iter(|| {
                let out = flash_attn::<f32>(q, k, v, scale, AttnMask::causal(), None, None);
                black_box(out.expect("valid"))
            });
        });
        group.bench_function("candle, unfused", |bencher| {
            bencher.iter(|| black_box(unfused([&q, &k, &v], &mask).expect("valid")));
        });
        group.finish();
        check(&o, &unfused([&q, &k, &v], &mask).expect("valid"));
    }
}

/// That the same was computed.
fn check(found: &Array4<f32>, other: &Tensor) {
    let other = other.flatten_to(D::Minus1).and_then(|x| x.to_vec1::<f32>());
    let pairs = found.iter().zip(other.expect("values"));
    assert!(pairs.into_iter().all(|(x, y)| (x - y).abs() < 1e-4));
}

criterion_group!(benches, causal);
criterion_main!(benches);
