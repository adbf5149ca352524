//! Gradients, with their useful operations as throughput: `cargo bench -p lookback-attention --bench backward`.
//!
//! `-- --save-baseline NAME` keeps a result to compare with, `-- --baseline NAME` compares.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lookback_attention::backward::{Gradients, Inputs, Options, backward_into};
use lookback_attention::forward::{Output, forward};
use lookback_attention::{Mask, Scoring};
use ndarray::Array4;

/// Name, batch, heads, key/value heads, tokens, head dimension.
const CASES: [(&str, [usize; 5]); 5] = [
    ("n1024", [1, 12, 12, 1024, 64]),
    ("n2048", [1, 12, 12, 2048, 64]),
    ("n2048 9/3 heads", [1, 9, 3, 2048, 64]),
    ("n2048 d128", [1, 32, 32, 2048, 128]),
    ("n256 batch 8", [8, 12, 12, 256, 64]),
];

fn backward(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("backward");
    group.sample_size(10);
    for (name, [b, h, h_kv, n, d]) in CASES {
        let array = |heads, salt: usize| {
            Array4::from_shape_fn((b, heads, n, d), |(b, h, i, c)| {
                let x = b * 7919 + h * 104_729 + i * 1_299_709 + c * 15_485_863 + salt;
                let x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                ((x >> 40) as f32 / (1 << 24) as f32 - 0.5) * 3.46
            })
        };
        let (q, k, v, d_o) = (array(h, 1), array(h_kv, 2), array(h_kv, 3), array(h, 4));
        let scoring = Scoring::default();
        let Output { o, lse } =
            forward(q.view(), k.view(), v.view(), &scoring).expect("shapes that fit");
        let inputs = Inputs {
            q: q.view(),
            k: k.view(),
            v: v.view(),
            o: o.view(),
            lse: lse.view(),
            d_o: d_o.view(),
        };
        let mut gradients = Gradients {
            dq: q.clone(),
            dk: k.clone(),
            dv: v.clone(),
            d_bias: None,
            d_sinks: None,
        };
        let pairs: usize = (0..n).map(|i| Mask::default().visible(i, n).len()).sum();
        group.throughput(Throughput::Elements((b * h * pairs * 10 * d) as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                let out = gradients.view_mut();
                backward_into(&inputs, &Options::default(), &scoring, out)
                    .expect("shapes that fit");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, backward);
criterion_main!(benches);
