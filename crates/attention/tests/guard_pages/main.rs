//! No access beyond any operand: each ends, or begins, at a page that faults when it is touched.
//!
//! Valgrind looks at the memory in between as well, the kernels' own included, and at what is read before it is written. It
//! knows no AVX-512, so that what it sees are the portable and the AVX2 paths:
//!
//! ```text
//! CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER='valgrind --error-exitcode=1' \
//!     cargo test -p lookback-attention --test guard_pages
//! ```
//!
//! Miri also knows what the language forbids: references that overlap, values that were never written, data races. It has no
//! pages, and knows the ends of an allocation without them; it takes some twenty minutes, though it is given fewer and smaller
//! shapes. It asks no processor, but takes the instruction sets that are named, but for F16C, which it does not know: f16 is then
//! widened by the library:
//!
//! ```text
//! MIRIFLAGS='-Zmiri-tree-borrows -Zmiri-ignore-leaks -Zmiri-permissive-provenance -Zmiri-disable-isolation' \
//!     RAYON_NUM_THREADS=2 RUSTFLAGS='-C target-feature=+avx2,+fma,+popcnt' \
//!     cargo +nightly miri test -p lookback-attention --test guard_pages
//! ```
#![cfg(unix)]

#[path = "../common/mod.rs"]
mod common;
#[cfg_attr(miri, path = "allocated.rs")]
mod guarded;

use common::Random;
use guarded::{ENDS, Guarded, SHAPES};
use half::f16;
use lookback_attention::backward::{GradientsMut, Inputs, Options, backward_into_on};
use lookback_attention::decode::{Cache, Workspace, decode_into_on};
use lookback_attention::forward::forward_into_on;
use lookback_attention::observe::{
    DistanceMass, Entropy, Pool, PooledTile, Received, RowMax, Rows, Span, SpanMass, TopK,
    forward_and_observe_on, observe_on,
};
use lookback_attention::varlen::{self, Sequence, Sequences};
use lookback_attention::weights::weights_on;
use lookback_attention::{InstructionSet, Mask, Scoring};
use ndarray::{Ix2, Ix3, Ix4, s};

#[test]
fn nothing_is_touched_beyond_an_operand() {
    let mut random = Random(1);
    for &low in ENDS {
        for &[h, h_kv, n, m, d_k, d_v] in SHAPES {
            let mut array = |len| Guarded::new(len, low, || random.normal());
            let (q, k, v) = (
                array(h * n * d_k),
                array(h_kv * m * d_k),
                array(h_kv * m * d_v),
            );
            let (mut o, mut lse, d_o) = (array(h * n * d_v), array(h * n), array(h * n * d_v));
            let (mut dq, mut dk) = (array(h * n * d_k), array(h_kv * m * d_k));
            let (mut dv, bias) = (array(h_kv * m * d_v), array(h * n * m));
            let factors = Guarded::new(h * m, low, || 0.5_f32);
            let q_dim = Ix4(1, h, n, d_k);
            let (k_dim, v_dim) = (Ix4(1, h_kv, m, d_k), Ix4(1, h_kv, m, d_v));
            let (o_dim, lse_dim) = (Ix4(1, h, n, d_v), Ix3(1, h, n));
            let half = |of: &Guarded<f32>, len| {
                let mut at = of.view(len).into_iter();
                let count = at.len();
                Guarded::new(count, low, || f16::from_f32(*at.next().expect("a value")))
            };
            let (k16, v16) = (half(&k, k_dim), half(&v, v_dim));
            let plain = Scoring::default().with_mask(Mask::causal_at_end(n, m));
            let biased = plain.clone().with_bias(bias.view(Ix4(1, h, n, m)));
            for set in InstructionSet::available() {
                for scoring in [&plain, &biased] {
                    let (q, k, v) = (q.view(q_dim), k.view(k_dim), v.view(v_dim));
                    let (k16, v16) = (k16.view(k_dim), v16.view(v_dim));
                    let out = (o.view_mut(o_dim), lse.view_mut(lse_dim));
                    forward_into_on(set, q, (k16, v16), scoring, out).expect("valid");
                    for f16 in [false, true] {
                        let out = (o.view_mut(o_dim), lse.view_mut(lse_dim));
                        let workspace = &mut Workspace::new();
                        match f16 {
                            true => {
                                let cache = Cache::Contiguous { k: k16, v: v16 };
                                decode_into_on(set, q, &cache, scoring, workspace, out.0, out.1)
                            }
                            false => {
                                let cache = Cache::Contiguous { k, v };
                                decode_into_on(set, q, &cache, scoring, workspace, out.0, out.1)
                            }
                        }
                        .expect("valid");
                    }
                    let out = (o.view_mut(o_dim), lse.view_mut(lse_dim));
                    forward_into_on(set, q, (k, v), scoring, out).expect("valid");
                    let (o, lse) = (o.view(o_dim), lse.view(lse_dim));
                    let inputs = Inputs {
                        q,
                        k,
                        v,
                        o,
                        lse,
                        d_o: d_o.view(o_dim),
                    };
                    let gradients = GradientsMut {
                        dq: dq.view_mut(q_dim),
                        dk: dk.view_mut(k_dim),
                        dv: dv.view_mut(v_dim),
                        d_bias: None,
                        d_sinks: None,
                    };
                    backward_into_on(set, &inputs, &Options::default(), scoring, gradients)
                        .expect("valid");
                    let picture = PooledTile {
                        rows: n / 3..n,
                        cols: m / 4..m,
                        height: 3,
                        width: 5,
                        pool: Pool::Max,
                    };
                    let observer = (
                        TopK::by_product(5, factors.view(Ix3(1, h, m))),
                        (Entropy, DistanceMass, Received, RowMax),
                        SpanMass::new([Span::own(), Span::Keys(m / 2..m)]),
                        (Rows::new([n - 1]), picture),
                    );
                    observe_on(set, (q, k, lse), scoring, &[], &observer).expect("valid");
                    observe_on(set, (q, k16, lse), scoring, &[], &observer).expect("valid");
                    forward_and_observe_on(set, q, (k, v), scoring, &observer).expect("valid");
                    forward_and_observe_on(set, q, (k16, v16), scoring, &observer).expect("valid");
                    let head = (
                        q.slice_move(s![0, h - 1, .., ..]),
                        k.slice_move(s![0, h_kv - 1, .., ..]),
                        lse.slice_move(s![0, h - 1, ..]),
                    );
                    let scoring = scoring.for_head(0, h - 1);
                    weights_on(set, head, &scoring, 0..n, 0..m).expect("valid");
                }
            }
        }
    }
}

/// Three sequences, the second without queries, the last at the operands' end.
#[test]
fn nothing_is_touched_beyond_packed_sequences() {
    let mut random = Random(2);
    for &low in ENDS {
        for &[h, h_kv, n, m, d_k, d_v] in SHAPES {
            let mut array = |len| Guarded::new(len, low, || random.normal());
            let (q, k, v) = (
                array(h * n * d_k),
                array(h_kv * m * d_k),
                array(h_kv * m * d_v),
            );
            let (mut o, mut lse, d_o) = (array(h * n * d_v), array(h * n), array(h * n * d_v));
            let (mut dq, mut dk) = (array(h * n * d_k), array(h_kv * m * d_k));
            let mut dv = array(h_kv * m * d_v);
            let (q_dim, o_dim) = (Ix3(h, n, d_k), Ix3(h, n, d_v));
            let (k_dim, v_dim, lse_dim) = (Ix3(h_kv, m, d_k), Ix3(h_kv, m, d_v), Ix2(h, n));
            let of_queries = [0, n / 3, n / 3, n];
            let of_keys = [0, m / 2, m / 2 + 1, m].map(|end| end.min(m));
            let sequences = Sequences::at_end(&of_queries, &of_keys).expect("valid");
            let scoring = Scoring::default();
            for set in InstructionSet::available() {
                let (q, k, v) = (q.view(q_dim), k.view(k_dim), v.view(v_dim));
                let out = (o.view_mut(o_dim), lse.view_mut(lse_dim));
                varlen::forward_into_on(set, q, (k, v), &sequences, &scoring, out).expect("valid");
                let inputs = varlen::Inputs {
                    q,
                    k,
                    v,
                    o: o.view(o_dim),
                    lse: lse.view(lse_dim),
                    d_o: d_o.view(o_dim),
                    d_lse: None,
                };
                let gradients = varlen::GradientsMut {
                    dq: dq.view_mut(q_dim),
                    dk: dk.view_mut(k_dim),
                    dv: dv.view_mut(v_dim),
                    d_sinks: None,
                };
                varlen::backward_into_on(set, &inputs, &sequences, &scoring, gradients)
                    .expect("valid");
                let call = (q, k, lse.view(lse_dim));
                let observer = |_, _: &Sequence| (TopK::by_weight(5), Entropy);
                varlen::observe_on(set, call, &sequences, &scoring, observer).expect("valid");
            }
        }
    }
}
