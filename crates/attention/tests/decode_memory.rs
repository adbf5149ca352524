//! Decoding allocates nothing once its workspace has grown.

#[path = "common/allocator.rs"]
mod allocator;

use half::f16;
use lookback_attention::decode::{Cache, Workspace, decode_into};
use lookback_attention::{Mask, Scoring};
use ndarray::{Array3, Array4, s};

/// Large enough that several threads share it, with every option, keys being added from call to call.
#[test]
fn nothing_is_allocated_in_the_steady_state() {
    let (h, h_kv, m, d) = (6, 2, 4000, 64);
    let of = |salt: usize| {
        move |(_, h, i, c): (usize, usize, usize, usize)| {
            f16::from_f32(((h * 5 + i * 7 + c * 3 + salt) % 11) as f32 / 11.0)
        }
    };
    let k = Array4::from_shape_fn((1, h_kv, m, d), of(0));
    let v = Array4::from_shape_fn((1, h_kv, m, d), of(4));
    let q = Array4::from_shape_fn((1, h, 2, d), of(9)).mapv(f32::from);
    let bias = Array4::from_elem((1, 1, 1, 1), 0.5f32);
    let sinks = [0.25; 6];
    let (mut o, mut lse) = (Array4::zeros((1, h, 2, d)), Array3::zeros((1, h, 2)));
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .expect("a pool");
    let calls = pool.install(|| {
        let mut workspace = Workspace::new();
        let mut step = |keys: usize| {
            let cache = Cache::Contiguous {
                k: k.slice(s![.., .., ..keys, ..]),
                v: v.slice(s![.., .., ..keys, ..]),
            };
            let scoring = Scoring::default()
                .with_mask(Mask::causal_at_end(2, keys))
                .with_soft_cap(20.0)
                .with_alibi(&sinks)
                .with_sinks(&sinks)
                .with_bias(bias.view());
            let (o, lse) = (o.view_mut(), lse.view_mut());
            decode_into(q.view(), &cache, &scoring, &mut workspace, o, lse).expect("valid");
        };
        // The last call needs the most.
        for keys in [m, m - 90, m] {
            step(keys);
        }
        let before = allocator::calls();
        for keys in m - 80..=m {
            step(keys);
        }
        allocator::calls() - before
    });
    assert_eq!(calls, 0);
}
