//! The fused forward pass and the weights against the f64 reference.

mod common;

use common::{Random, agrees, exact};
use lookback_attention::forward::{forward, forward_into, forward_on};
use lookback_attention::weights::weights_on;
use lookback_attention::{InstructionSet, Mask, Scoring};
use ndarray::{Array3, Array4, ArrayView4, s};
use proptest::prelude::*;

/// One case of the property: everything that a call has.
#[derive(Debug, Clone)]
struct Case {
    b: usize,
    kv_heads: usize,
    group: usize,
    n: usize,
    m: usize,
    d_k: usize,
    d_v: usize,
    mask: Mask,
    scale: Option<f32>,
    soft_cap: Option<f32>,
    alibi: bool,
    sinks: bool,
    bias: Option<[bool; 4]>,
    key_lengths: bool,
    order: usize,
    gap: usize,
    seed: u64,
}

const ORDERS: [[usize; 4]; 4] = [[0, 1, 2, 3], [0, 2, 1, 3], [3, 1, 0, 2], [1, 0, 3, 2]];

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 1usize..40, 2 => 40usize..150, 1 => 250usize..300, 1 => 500usize..530]
}

fn depths() -> impl Strategy<Value = usize> {
    prop_oneof![
        1usize..20,
        prop::sample::select(vec![1usize, 7, 16, 31, 32, 33, 48, 64, 80, 96, 128])
    ]
}

fn masks() -> impl Strategy<Value = Mask> {
    let offset = || prop_oneof![Just(0isize), -20isize..60, -600isize..600];
    prop_oneof![
        Just(Mask::None),
        offset().prop_map(|offset| Mask::Causal { offset }),
        offset().prop_map(|offset| Mask::StrictlyBefore { offset }),
        (prop_oneof![1usize..10, 1usize..300], offset())
            .prop_map(|(window, offset)| Mask::Window { window, offset }),
    ]
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = (
        1usize..3,
        1usize..3,
        1usize..4,
        sizes(),
        sizes(),
        depths(),
        depths(),
    );
    let options = (
        masks(),
        prop::option::of(-0.5f32..0.5),
        prop::option::weighted(0.25, 0.5f32..30.0),
        prop::bool::weighted(0.25),
        prop::bool::weighted(0.25),
        prop::option::weighted(0.25, any::<[bool; 4]>()),
        prop::bool::weighted(0.25),
    );
    (shape, options, 0..ORDERS.len(), 0usize..2, any::<u64>()).prop_map(
        |(
            (b, kv_heads, group, n, m, d_k, d_v),
            (mask, scale, soft_cap, alibi, sinks, bias, key_lengths),
            order,
            gap,
            seed,
        )| Case {
            b,
            kv_heads,
            group,
            n,
            m,
            d_k,
            d_v,
            mask,
            scale,
            soft_cap,
            alibi,
            sinks,
            bias,
            key_lengths,
            order,
            gap,
            seed,
        },
    )
}

/// What rounding may change in a score, and so, relatively, in a weight: scores are sums of products as large as
/// scale · ‖q‖ · ‖k‖, plus the distance penalty.
fn rounding(case: &Case, q: &ArrayView4<f32>, k: &ArrayView4<f32>) -> f64 {
    let longest = |x: &ArrayView4<f32>| {
        x.rows()
            .into_iter()
            .map(|row| row.dot(&row))
            .fold(0.0, f32::max)
            .sqrt()
    };
    let scale = case.scale.unwrap_or(1.0 / (case.d_k as f32).sqrt()).abs();
    let far = (case.n + case.m + case.mask.offset().unsigned_abs()) as f32;
    let penalty = if case.alibi { 0.2 * far } else { 0.0 };
    2e-7 * f64::from(2.0 + scale * longest(q) * longest(k) + penalty)
}

/// Runs a case on every instruction set and compares O, LSE and the weights of the last head with the reference.
fn check(case: &Case) -> Result<(), TestCaseError> {
    let mut random = Random(case.seed);
    let heads = case.kv_heads * case.group;
    let order = ORDERS[case.order];
    let q = random.array([case.b, heads, case.n, case.d_k], order, case.gap);
    let k = random.array([case.b, case.kv_heads, case.m, case.d_k], order, case.gap);
    let v = random.array([case.b, case.kv_heads, case.m, case.d_v], order, case.gap);
    let slopes: Vec<f32> = (0..heads).map(|_| random.unit() * 0.2 - 0.02).collect();
    let sinks: Vec<f32> = (0..heads).map(|_| random.normal() * 2.0).collect();
    let lengths: Vec<usize> = (0..case.b)
        .map(|_| random.next() as usize % (case.m + 1))
        .collect();
    let full = case.bias.unwrap_or_default();
    let dim = [case.b, heads, case.n, case.m];
    let bias = random.plain(std::array::from_fn(|i| if full[i] { dim[i] } else { 1 }));
    let mut scoring = Scoring::default().with_mask(case.mask);
    scoring.scale = case.scale;
    scoring.soft_cap = case.soft_cap;
    scoring.alibi = case.alibi.then_some(&slopes[..]);
    scoring.sinks = case.sinks.then_some(&sinks[..]);
    scoring.bias = case.bias.map(|_| bias.view());
    scoring.key_lengths = case.key_lengths.then_some(&lengths[..]);

    let (q, k, v) = (q.view(), k.view(), v.view());
    let expected = exact(q, k, v, &scoring);
    let rounding = rounding(case, &q, &k);
    for set in InstructionSet::available() {
        let found = forward_on(set, q, k, v, &scoring).expect("valid");
        for (at, &o) in found.o.indexed_iter() {
            prop_assert!(
                agrees(o, expected.o[at], 6.0 * rounding, 0.0),
                "{} o{at:?}: {o} {}",
                set.name(),
                expected.o[at]
            );
        }
        for (at, &lse) in found.lse.indexed_iter() {
            let exact = expected.lse[at];
            prop_assert!(
                agrees(lse, exact, rounding, exact.abs()),
                "{} lse{at:?}: {lse} {exact}",
                set.name()
            );
        }
        let (b, h) = (case.b - 1, heads - 1);
        let rows = case.n / 3..case.n;
        let cols = case.m / 4..(case.m * 7).div_ceil(8);
        let w = weights_on(
            set,
            (
                q.slice(s![b, h, .., ..]),
                k.slice(s![b, h / case.group, .., ..]),
                found.lse.slice(s![b, h, ..]),
            ),
            &scoring.for_head(b, h),
            rows.clone(),
            cols.clone(),
        )
        .expect("valid");
        for ((i, j), &w) in w.indexed_iter() {
            let exact = expected.weights[[b, h, rows.start + i, cols.start + j]];
            prop_assert!(
                agrees(w, exact, rounding, 0.0),
                "{} weight {i} {j}: {w} {exact}",
                set.name()
            );
            prop_assert!(
                (w == 0.0) || exact > 0.0,
                "{} weight {i} {j} of an unseen key: {w}",
                set.name()
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn any_call_agrees_with_the_reference(case in cases()) {
        check(&case)?;
    }
}

/// Every head size that matters × ragged lengths, without options: sizes that a random draw might miss.
#[test]
fn head_sizes_by_ragged_lengths() {
    for d in [1, 7, 16, 64, 80, 96, 128, 256] {
        for (n, m) in [
            (1, 1),
            (1, 17),
            (5, 5),
            (6, 16),
            (7, 33),
            (97, 97),
            (13, 257),
            (101, 515),
        ] {
            let case = Case {
                b: 1,
                kv_heads: 1,
                group: 1,
                n,
                m,
                d_k: d,
                d_v: if n % 2 == 0 { d } else { d / 2 + 1 },
                mask: Mask::causal_at_end(n, m),
                scale: None,
                soft_cap: None,
                alibi: false,
                sinks: false,
                bias: None,
                key_lengths: false,
                order: 0,
                gap: 0,
                seed: (d * 1000 + n) as u64,
            };
            check(&case).expect("agrees");
        }
    }
}

/// ‖O − O*‖ / ‖O*‖ on inputs of unit variance.
#[test]
fn relative_error_is_a_few_roundings() {
    let mut random = Random(7);
    let (q, k, v) = (
        random.plain([1, 2, 1024, 64]),
        random.plain([1, 2, 1024, 64]),
        random.plain([1, 2, 1024, 64]),
    );
    for mask in [Mask::None, Mask::default()] {
        let scoring = Scoring::default().with_mask(mask);
        let expected = exact(q.view(), k.view(), v.view(), &scoring);
        for set in InstructionSet::available() {
            let found = forward_on(set, q.view(), k.view(), v.view(), &scoring).expect("valid");
            let difference: f64 = found
                .o
                .iter()
                .zip(&expected.o)
                .map(|(&x, y)| (f64::from(x) - y).powi(2))
                .sum();
            let norm: f64 = expected.o.iter().map(|y| y * y).sum();
            let error = (difference / norm).sqrt();
            assert!(error < 1e-6, "{} {mask:?}: {error:e}", set.name());
        }
    }
}

/// Scores that climb with the key make every tile raise the reference; those that fall never do.
#[test]
fn climbing_and_falling_scores() {
    let (n, m, d) = (40, 700, 16);
    let mut random = Random(3);
    let (mut q, mut k, v) = (
        random.plain([1, 1, n, d]),
        random.plain([1, 1, m, d]),
        random.plain([1, 1, m, d]),
    );
    q.slice_mut(s![.., .., .., 0]).fill(4.0);
    for slope in [0.5, -0.5, 3.0, 0.05] {
        k.slice_mut(s![.., .., .., 0])
            .indexed_iter_mut()
            .for_each(|((_, _, j), x)| *x = slope * j as f32);
        for mask in [
            Mask::None,
            Mask::Causal { offset: 600 },
            Mask::Window {
                window: 300,
                offset: 640,
            },
        ] {
            let scoring = Scoring::default().with_mask(mask);
            let expected = exact(q.view(), k.view(), v.view(), &scoring);
            for set in InstructionSet::available() {
                let found = forward_on(set, q.view(), k.view(), v.view(), &scoring).expect("valid");
                for (at, &o) in found.o.indexed_iter() {
                    // Scores in the thousands have a rounding error of their own.
                    let tolerance = 1e-5 * f64::from(slope.abs()) * m as f64;
                    assert!(
                        agrees(o, expected.o[at], tolerance, 0.0),
                        "{} {at:?}: {o} {}",
                        set.name(),
                        expected.o[at]
                    );
                }
            }
        }
    }
}

/// Rows that see no key, among rows that do.
#[test]
fn rows_without_a_key() {
    let mut random = Random(5);
    let (q, k, v) = (
        random.plain([1, 2, 30, 8]),
        random.plain([1, 1, 20, 8]),
        random.plain([1, 1, 20, 5]),
    );
    let sinks = [0.5, f32::NEG_INFINITY];
    for mask in [
        Mask::StrictlyBefore { offset: 0 },
        Mask::Causal { offset: -9 },
        Mask::Causal { offset: -900 },
        Mask::Window {
            window: 3,
            offset: 4,
        },
        Mask::Window {
            window: 3,
            offset: 400,
        },
    ] {
        for sinks in [None, Some(&sinks[..])] {
            let mut scoring = Scoring::default().with_mask(mask);
            scoring.sinks = sinks;
            for set in InstructionSet::available() {
                let found = forward_on(set, q.view(), k.view(), v.view(), &scoring).expect("valid");
                for i in (0..30).filter(|&i| mask.visible(i, 20).is_empty()) {
                    for h in 0..2 {
                        assert!(
                            found.o.slice(s![0, h, i, ..]).iter().all(|&o| o == 0.0),
                            "{} {mask:?} {i}",
                            set.name()
                        );
                        let expected = sinks.map_or(f32::NEG_INFINITY, |s| s[h]);
                        assert_eq!(
                            found.lse[[0, h, i]],
                            expected,
                            "{} {mask:?} {i}",
                            set.name()
                        );
                    }
                }
            }
        }
    }
}

/// A bias of −∞ hides a key as the mask does, and hides a whole row as well.
#[test]
fn bias_of_minus_infinity() {
    let mut random = Random(6);
    let (q, k, v) = (
        random.plain([1, 1, 20, 8]),
        random.plain([1, 1, 300, 8]),
        random.plain([1, 1, 300, 8]),
    );
    let bias = Array4::from_shape_fn((1, 1, 20, 300), |(_, _, i, j)| {
        if i == 4 || j % 3 == 0 || (i == 5 && j < 280) {
            f32::NEG_INFINITY
        } else {
            0.0
        }
    });
    let scoring = Scoring::default()
        .with_mask(Mask::None)
        .with_bias(bias.view());
    let expected = exact(q.view(), k.view(), v.view(), &scoring);
    for set in InstructionSet::available() {
        let found = forward_on(set, q.view(), k.view(), v.view(), &scoring).expect("valid");
        assert_eq!(found.lse[[0, 0, 4]], f32::NEG_INFINITY);
        for (at, &o) in found.o.indexed_iter() {
            assert!(
                agrees(o, expected.o[at], 2e-5, 0.0),
                "{} {at:?}: {o} {}",
                set.name(),
                expected.o[at]
            );
        }
    }
}

/// NaN and infinities in each operand, at every kind of place, do what they do in the reference, and no more.
#[test]
fn nan_and_infinities() {
    let (n, m, d) = (40, 300, 20);
    // NaN with low bits set: they must not leak into an exponent.
    let payload = f32::from_bits(0x7fc0_0203);
    for (seed, value) in [f32::NAN, payload, f32::INFINITY, f32::NEG_INFINITY]
        .into_iter()
        .enumerate()
    {
        for operand in 0..3 {
            for (row, column) in [(0, 0), (3, 19), (17, 5), (39, 16)] {
                for mask in [
                    Mask::None,
                    Mask::default(),
                    Mask::Window {
                        window: 7,
                        offset: 3,
                    },
                ] {
                    let mut random = Random(seed as u64);
                    let mut arrays = [
                        random.plain([1, 1, n, d]),
                        random.plain([1, 1, m, d]),
                        random.plain([1, 1, m, d]),
                    ];
                    arrays[operand][[0, 0, row, column]] = value;
                    let [q, k, v] = &arrays;
                    let scoring = Scoring::default().with_mask(mask);
                    let expected = exact(q.view(), k.view(), v.view(), &scoring);
                    for set in InstructionSet::available() {
                        let found =
                            forward_on(set, q.view(), k.view(), v.view(), &scoring).expect("valid");
                        let place = format!(
                            "{} {value} in {operand} at {row},{column} {mask:?}",
                            set.name()
                        );
                        for (at, &o) in found.o.indexed_iter() {
                            let exact = expected.o[at];
                            assert!(agrees(o, exact, 2e-5, 0.0), "{place}: o{at:?} {o} {exact}");
                        }
                        for (at, &lse) in found.lse.indexed_iter() {
                            let exact = expected.lse[at];
                            assert!(
                                agrees(lse, exact, 1e-5, 0.0),
                                "{place}: lse{at:?} {lse} {exact}"
                            );
                        }
                        let w = weights_on(
                            set,
                            (
                                q.slice(s![0, 0, .., ..]),
                                k.slice(s![0, 0, .., ..]),
                                found.lse.slice(s![0, 0, ..]),
                            ),
                            &scoring,
                            0..n,
                            0..m,
                        )
                        .expect("valid");
                        for ((i, j), &w) in w.indexed_iter() {
                            let exact = expected.weights[[0, 0, i, j]];
                            assert!(
                                agrees(w, exact, 1e-5, 0.0),
                                "{place}: w[{i}, {j}] {w} {exact}"
                            );
                        }
                    }
                }
            }
        }
    }
}

/// f16 and bf16 keys and values are what their exact f32 values are.
#[test]
fn half_precision_storage_is_exact() {
    let mut random = Random(11);
    let q = random.plain([1, 4, 70, 40]);
    let (k, v) = (random.plain([1, 2, 90, 40]), random.plain([1, 2, 90, 24]));
    let scoring = Scoring::default().with_mask(Mask::causal_at_end(70, 90));
    for set in InstructionSet::available() {
        let (k16, v16) = (k.mapv(half::f16::from_f32), v.mapv(half::f16::from_f32));
        let wide = forward_on(
            set,
            q.view(),
            k16.mapv(f32::from).view(),
            v16.mapv(f32::from).view(),
            &scoring,
        );
        assert_eq!(
            forward_on(set, q.view(), k16.view(), v16.view(), &scoring),
            wide
        );
        let (k16, v16) = (k.mapv(half::bf16::from_f32), v.mapv(half::bf16::from_f32));
        let wide = forward_on(
            set,
            q.view(),
            k16.mapv(f32::from).view(),
            v16.mapv(f32::from).view(),
            &scoring,
        );
        assert_eq!(
            forward_on(set, q.view(), k16.view(), v16.view(), &scoring),
            wide
        );
    }
}

/// The same bits on any number of threads.
#[test]
fn threads_do_not_change_a_bit() {
    let mut random = Random(13);
    let (q, k, v) = (
        random.plain([2, 4, 300, 32]),
        random.plain([2, 2, 610, 32]),
        random.plain([2, 2, 610, 48]),
    );
    let scoring = Scoring::default().with_mask(Mask::causal_at_end(300, 610));
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool");
        pool.install(|| {
            let out = forward(q.view(), k.view(), v.view(), &scoring).expect("valid");
            let bits = |x: &f32| x.to_bits();
            (
                out.o.iter().map(bits).collect::<Vec<_>>(),
                out.lse.iter().map(bits).collect::<Vec<_>>(),
            )
        })
    };
    let one = on(1);
    for threads in [2, 3] {
        assert!(on(threads) == one, "{threads} threads");
    }
}

/// Output arrays of any strides.
#[test]
fn strided_outputs() {
    let mut random = Random(17);
    let (q, k, v) = (
        random.plain([2, 3, 20, 8]),
        random.plain([2, 1, 20, 8]),
        random.plain([2, 1, 20, 18]),
    );
    let scoring = Scoring::default();
    let plain = forward(q.view(), k.view(), v.view(), &scoring).expect("valid");
    // [N, B, H, d_v] and every second column of twice as many; [N, H, B].
    let mut o = Array4::from_elem((20, 2, 3, 36), f32::NAN);
    let mut lse = Array3::from_elem((20, 3, 2), f32::NAN);
    {
        let o = o
            .slice_mut(s![.., .., .., ..;2])
            .permuted_axes([1, 2, 0, 3]);
        let lse = lse.view_mut().permuted_axes([2, 1, 0]);
        forward_into(q.view(), k.view(), v.view(), &scoring, o, lse).expect("valid");
    }
    assert_eq!(
        o.slice(s![.., .., .., ..;2]).permuted_axes([1, 2, 0, 3]),
        plain.o
    );
    assert!(
        o.slice(s![.., .., .., 1..;2]).iter().all(|x| x.is_nan()),
        "wrote between the columns"
    );
    assert_eq!(lse.view().permuted_axes([2, 1, 0]), plain.lse);
}
