//! The fused pass against the reference.

use lookback_attention::backward::{Gradients, Inputs, Options, backward_on};
use lookback_attention::forward::{Output, forward_on};
use lookback_attention::{InstructionSet, Mask};
use ndarray::{Array, Dimension};

use crate::cases::{Choice, Dims, Operands, choices, masks};
use crate::common::Random;

/// The fused gradients.
pub(crate) fn fused(set: InstructionSet, x: &Operands) -> Gradients {
    let (q, k, v, d_o) = (single(&x.q), single(&x.k), single(&x.v), single(&x.d_o));
    let scoring = x.scoring();
    let Output { o, lse } =
        forward_on(set, q.view(), k.view(), v.view(), &scoring).expect("shapes that fit");
    let inputs = Inputs {
        q: q.view(),
        k: k.view(),
        v: v.view(),
        o: o.view(),
        lse: lse.view(),
        d_o: d_o.view(),
    };
    let d_lse = x.d_lse.as_ref().map(single);
    let mut options = Options::default();
    options.d_lse = d_lse.as_ref().map(|d_lse| d_lse.view());
    backward_on(set, &inputs, &options, &scoring).expect("shapes that fit")
}

fn single<D: Dimension>(x: &Array<f64, D>) -> Array<f32, D> {
    x.mapv(|x| x as f32)
}

/// ‖found − exact‖_F ≤ 10⁻⁵ · ‖exact‖_F; a gradient of pure cancellation is held against `size` instead.
fn close<D: Dimension>(what: &str, found: &Array<f32, D>, exact: &Array<f64, D>, size: f64) {
    assert_eq!(found.dim(), exact.dim(), "{what}");
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let error = norm(&mut found.iter().zip(exact).map(|(&x, y)| f64::from(x) - y));
    let exact = norm(&mut exact.iter().copied()).max(size);
    assert!(
        error <= 1e-5 * exact,
        "{what}: ‖error‖ {error:e}, ‖exact‖ {exact:e}"
    );
}

pub(crate) fn check(set: InstructionSet, dims: Dims, choice: &Choice, seed: u64) {
    let x = Operands::random(dims, choice, seed);
    let (found, exact) = (fused(set, &x), x.exact());
    let what = |name: &str| format!("{name} on {}: {dims:?} {choice:?} seed {seed}", set.name());
    // Gradients of scores are differences of terms of about this size.
    let size = (dims.d_v as f64).sqrt() * 0.1;
    close(&what("dq"), &found.dq, &exact.dq, size);
    close(&what("dk"), &found.dk, &exact.dk, size);
    close(&what("dv"), &found.dv, &exact.dv, size);
    assert_eq!(found.d_bias.is_some(), exact.d_bias.is_some());
    if let (Some(found), Some(exact)) = (&found.d_bias, &exact.d_bias) {
        // A bias that is shared gathers as many such terms; shared by a row's keys, they cancel altogether.
        let terms = dims.b * dims.h * dims.n * dims.m / exact.len();
        close(&what("d_bias"), found, exact, size * (terms as f64).sqrt());
    }
    assert_eq!(found.d_sinks.is_some(), exact.d_sinks.is_some());
    if let (Some(found), Some(exact)) = (&found.d_sinks, &exact.d_sinks) {
        close(&what("d_sinks"), found, exact, size);
    }
}

#[test]
fn every_option_on_every_instruction_set() {
    for set in InstructionSet::available() {
        for dims in [
            Dims {
                b: 2,
                h: 4,
                h_kv: 2,
                n: 23,
                m: 37,
                d_k: 16,
                d_v: 7,
            },
            Dims {
                b: 1,
                h: 2,
                h_kv: 1,
                n: 130,
                m: 101,
                d_k: 7,
                d_v: 20,
            },
            Dims {
                b: 3,
                h: 1,
                h_kv: 1,
                n: 1,
                m: 1,
                d_k: 1,
                d_v: 1,
            },
        ] {
            for (seed, choice) in choices(dims).iter().enumerate() {
                check(set, dims, choice, seed as u64);
            }
        }
    }
}

#[test]
fn every_head_dimension_and_ragged_length() {
    const DEPTHS: [usize; 8] = [1, 7, 16, 64, 80, 96, 128, 256];
    const LENGTHS: [(usize, usize); 9] = [
        (1, 1),
        (1, 113),
        (5, 6),
        (16, 17),
        (33, 95),
        (97, 96),
        (112, 1),
        (125, 199),
        (208, 194),
    ];
    for set in InstructionSet::available() {
        let mut at = 0;
        for d_k in DEPTHS {
            for d_v in DEPTHS {
                let (n, m) = LENGTHS[at % LENGTHS.len()];
                let masks = masks(n, m);
                let choice = Choice {
                    mask: masks[at % masks.len()].clone(),
                    d_lse: at % 3 == 0,
                    ..Choice::default()
                };
                check(
                    set,
                    Dims {
                        b: 1,
                        h: 2,
                        h_kv: 1 + at % 2,
                        n,
                        m,
                        d_k,
                        d_v,
                    },
                    &choice,
                    at as u64,
                );
                at += 1;
            }
        }
    }
}

#[test]
fn heads_with_several_parts() {
    for set in InstructionSet::available() {
        for (seed, mask) in masks(1100, 1300).into_iter().enumerate() {
            let dims = Dims {
                b: 1,
                h: 2,
                h_kv: 1,
                n: 1100,
                m: 1300,
                d_k: 8,
                d_v: 8,
            };
            check(
                set,
                dims,
                &Choice {
                    mask,
                    ..Choice::default()
                },
                seed as u64,
            );
        }
        let window = Mask::Window {
            window: 100,
            offset: -30,
        };
        let dims = Dims {
            b: 1,
            h: 1,
            h_kv: 1,
            n: 1500,
            m: 1401,
            d_k: 4,
            d_v: 8,
        };
        check(
            set,
            dims,
            &Choice {
                mask: window,
                ..Choice::default()
            },
            99,
        );
    }
}

/// Unit-variance inputs of the size at which speed is measured.
#[test]
fn long_heads_are_accurate() {
    for set in InstructionSet::available() {
        let dims = Dims {
            b: 1,
            h: 1,
            h_kv: 1,
            n: 1500,
            m: 1500,
            d_k: 64,
            d_v: 64,
        };
        check(
            set,
            dims,
            &Choice {
                d_lse: true,
                ..Choice::default()
            },
            11,
        );
    }
}

/// Shapes and options drawn together, so that any may meet any.
#[test]
fn any_options_at_any_shape() {
    const DEPTHS: [usize; 8] = [1, 7, 16, 64, 80, 96, 128, 256];
    let mut random = Random(77);
    for seed in 0..150 {
        let mut below = |end: usize| random.next() as usize % end;
        let (b, h_kv, group) = (1 + below(2), 1 + below(2), 1 + below(3));
        let (h, n, m) = (h_kv * group, 1 + below(140), 1 + below(210));
        let dims = Dims {
            b,
            h,
            h_kv,
            n,
            m,
            d_k: DEPTHS[below(8)],
            d_v: DEPTHS[below(8)],
        };
        let masks = masks(n, m);
        let either = |full: usize, one: usize| if one == 0 { 1 } else { full };
        let choice = Choice {
            mask: masks[below(masks.len())].clone(),
            scale: [None, Some(0.2), Some(-0.1)][below(3)],
            soft_cap: [None, None, Some(3.0)][below(3)],
            alibi: below(3) == 0,
            bias: (below(2) == 0).then(|| {
                [
                    either(b, below(2)),
                    either(h, below(2)),
                    either(n, below(3)),
                    either(m, below(3)),
                ]
            }),
            sinks: below(3) == 0,
            key_lengths: (below(3) == 0).then(|| (0..b).map(|_| below(m + 1)).collect()),
            d_lse: below(2) == 0,
        };
        for set in InstructionSet::available() {
            check(set, dims, &choice, seed);
        }
    }
}
