//! Weights that a trace gives, against weights computed the long way.

use crate::common::{self, SMALL, Sizes, layer, layers, meta, sound, weights};
use lookback_trace::{Cut, Error, InterventionRecord, Mask, Meta, Scoring, Trace};
use ndarray::Array2;
use proptest::prelude::*;

fn largest_difference(a: &Array2<f32>, b: &Array2<f64>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    let pairs = a.iter().zip(b);
    pairs
        .map(|(&a, &b)| (f64::from(a) - b).abs())
        .fold(0.0, |x, d| if d.is_nan() { d } else { x.max(d) })
}

fn check(described: &[Scoring<'static>], cuts: &[Cut]) {
    let layers = layers(described, cuts);
    let edits = InterventionRecord {
        cut: cuts.to_vec(),
        ..InterventionRecord::default()
    };
    let meta = Meta {
        interventions: edits,
        ..meta(described.to_vec())
    };
    let trace = Trace::new(meta, layers.clone()).unwrap();
    let n = trace.n();
    for (at, (layer, described)) in layers.iter().zip(described).enumerate() {
        let cuts: Vec<Cut> = cuts.iter().copied().filter(|c| c.layer == at).collect();
        for head in 0..trace.head_count(at) {
            let expected = weights(layer, described, head, &cuts);
            let all = trace
                .weights(at, head, 0..n, 0..n)
                .unwrap_or_else(|error| panic!("{described:?}: {error}"));
            let off = largest_difference(&all, &expected);
            assert!(
                off < 2e-6,
                "head {at}.{head} of {described:?} is off by {off}"
            );
            for i in 0..n {
                let row = trace.row(at, head, i).unwrap();
                assert_eq!(row, all.row(i), "row {i} of head {at}.{head}");
            }
            let part = trace.weights(at, head, 2..5, 1..4).unwrap();
            assert_eq!(part, all.slice(ndarray::s![2..5, 1..4]));
        }
    }
}

#[test]
fn every_mask() {
    for mask in [
        Mask::None,
        Mask::Causal { offset: 0 },
        Mask::Causal { offset: 2 },
        Mask::Causal { offset: -2 },
        Mask::Window {
            window: 1,
            offset: 0,
        },
        Mask::Window {
            window: 3,
            offset: 0,
        },
        Mask::Window {
            window: 3,
            offset: -4,
        },
        Mask::Window {
            window: usize::MAX,
            offset: 1,
        },
    ] {
        check(&[Scoring::new(0.577, mask)], &[]);
    }
}

#[test]
fn soft_caps_sinks_and_slopes() {
    let plain = common::causal();
    let sinks = vec![0.5, -3.0, 2.0, 0.0];
    let capped = plain.clone().with_soft_cap(0.7);
    let sunk = plain.clone().with_sinks(sinks.clone());
    let sloped = plain.with_alibi(vec![0.5, 0.25, 0.125, 0.0625]);
    let both_ways = sloped.clone().with_mask(Mask::None);
    let all = sloped.clone().with_soft_cap(0.7).with_sinks(sinks);
    check(&[capped, sunk, sloped, both_ways, all], &[]);
}

#[test]
fn a_cut_edge_has_weight_0_in_its_head_alone() {
    let edge = |layer, head, i, j| Cut { layer, head, i, j };
    // Not in order, one of them twice, one that the mask hides anyway, and a row with nothing left.
    let mut cuts = vec![
        edge(1, 2, 5, 3),
        edge(0, 0, 4, 1),
        edge(1, 2, 5, 0),
        edge(1, 2, 5, 3),
        edge(1, 3, 1, 4),
    ];
    cuts.extend((0..=2).map(|j| edge(0, 1, 2, j)));
    check(&[common::causal(), common::causal()], &cuts);
}

#[test]
fn rows_sum_to_1_less_the_sink() {
    let described = common::causal().with_sinks(vec![0.5, -3.0, 2.0, 0.0]);
    let layers = layers(std::slice::from_ref(&described), &[]);
    let trace = Trace::new(meta(vec![described]), layers.clone()).unwrap();
    for head in 0..4 {
        for i in 0..trace.n() {
            let sink = [0.5, -3.0, 2.0, 0.0][head] - layers[0].lse[[head, i]];
            let total = trace.row(0, head, i).unwrap().sum() + sink.exp();
            assert!((total - 1.0).abs() < 1e-6, "{total}");
        }
    }
}

#[test]
fn a_row_that_sees_no_key_is_all_0() {
    let described = vec![Scoring::new(1.0, Mask::Causal { offset: -2 })];
    let trace = Trace::new(meta(described.clone()), layers(&described, &[])).unwrap();
    assert_eq!(trace.lse(0, 0).unwrap()[1], f32::NEG_INFINITY);
    assert!(trace.row(0, 0, 1).unwrap().iter().all(|&w| w == 0.0));
    assert!((trace.row(0, 0, 2).unwrap()[0] - 1.0).abs() < 1e-6);
}

#[test]
fn what_is_not_there_is_refused_by_number() {
    let trace = sound();
    let message = |result: Result<_, Error>| result.err().unwrap().to_string();
    assert_eq!(
        message(trace.row(2, 0, 0)),
        "there is no layer 2: this trace has layers 0 to 1"
    );
    assert_eq!(
        message(trace.row(1, 4, 0)),
        "there is no head 1.4: layer 1 has heads 0 to 3"
    );
    for i in [6, usize::MAX] {
        assert!(message(trace.row(0, 0, i)).starts_with(&format!("there are no queries {i}..")));
    }
    let cols = |cols| {
        trace
            .weights(0, 0, 0..1, cols)
            .map(|_| ndarray::Array1::zeros(0))
    };
    assert_eq!(
        message(cols(3..7)),
        "there are no keys 3..7: this trace has 6 tokens"
    );
    #[expect(
        clippy::reversed_empty_ranges,
        reason = "this is the mistake to be refused"
    )]
    let backwards = cols(4..2);
    assert_eq!(
        message(backwards),
        "there are no keys 4..2: this trace has 6 tokens"
    );
    assert_eq!(trace.weights(0, 0, 2..2, 0..6).unwrap().dim(), (0, 6));
    assert_eq!((trace.head_count(9), trace.kv_head_count(9)), (0, 0));
}

#[test]
fn damage_to_queries_keys_or_lse_never_passes_for_weights() {
    type Damage = (&'static str, fn(&mut lookback_trace::Layer));
    let damage: [Damage; 4] = [
        ("a NaN query", |l| l.q[[0, 3, 0]] = f32::NAN),
        ("a NaN key", |l| l.k[[0, 1, 2]] = f32::NAN),
        ("an infinite query", |l| l.q[[0, 3, 0]] = f32::INFINITY),
        ("an LSE of another text", |l| l.lse[[0, 3]] -= 5.0),
    ];
    for (what, damage) in damage {
        let mut layers = layers(&[common::causal()], &[]);
        damage(&mut layers[0]);
        let trace = Trace::new(meta(vec![common::causal()]), layers).unwrap();
        let refused = trace.row(0, 0, 3);
        assert!(
            matches!(
                refused,
                Err(Error::NotAWeight {
                    layer: 0,
                    head: 0,
                    i: 3,
                    ..
                })
            ),
            "{what}: {refused:?}"
        );
    }
}

#[test]
fn weights_that_do_not_sum_to_one_are_refused() {
    for lse in [5.0, f32::INFINITY] {
        let mut layers = layers(&[common::causal()], &[]);
        match lse.is_finite() {
            true => layers[0].lse[[0, 3]] += lse,
            false => layers[0].lse[[0, 3]] = f32::NEG_INFINITY,
        }
        let trace = Trace::new(meta(vec![common::causal()]), layers).unwrap();
        let refused = trace.row(0, 0, 3);
        assert!(
            matches!(refused, Err(Error::NotARow { i: 3, .. })),
            "{refused:?}"
        );
        assert!(trace.row(0, 0, 2).is_ok());
    }
}

#[test]
fn layouts_other_than_row_major_are_read_alike() {
    let plain = layers(&[common::causal()], &[]);
    let mut turned = plain.clone();
    let layer = &mut turned[0];
    for x in [&mut layer.q, &mut layer.k] {
        // The same numbers, stored column by column, and within a larger array.
        let mut stored = ndarray::Array3::zeros(ndarray::ShapeBuilder::f(x.dim()));
        stored.assign(x);
        *x = stored;
    }
    let mut wider = ndarray::Array2::zeros((5, 6));
    wider.slice_mut(ndarray::s![1.., ..]).assign(&plain[0].lse);
    layer.lse = wider.slice_move(ndarray::s![1.., ..]);
    let [a, b] = [plain, turned].map(|l| Trace::new(meta(vec![common::causal()]), l).unwrap());
    assert_eq!(
        a.weights(0, 3, 0..6, 0..6).unwrap(),
        b.weights(0, 3, 0..6, 0..6).unwrap()
    );
    assert_eq!(a.lse(0, 2).unwrap(), b.lse(0, 2).unwrap());
}

#[test]
fn query_heads_read_the_keys_of_their_group() {
    let trace = sound();
    let keys = |head| trace.head(0, head).unwrap().k().to_owned();
    assert_eq!(keys(0), keys(1));
    assert_eq!(keys(2), keys(3));
    assert_ne!(keys(1), keys(2));
    assert_eq!(trace.head(0, 3).unwrap().v().unwrap().dim(), (6, 5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_shapes(
        seed in any::<u64>(),
        n in 1_usize..150,
        group in 1_usize..4,
        kv_heads in 1_usize..3,
        d_k in 1_usize..20,
        window in 1_usize..40,
    ) {
        let sizes = Sizes { n, heads: group * kv_heads, kv_heads, d_k, ..SMALL };
        let scale = 1.0 / (d_k as f32).sqrt();
        let described = Scoring::new(scale, Mask::Window { window, offset: 0 });
        let layer = layer(&mut common::Numbers::new(seed), sizes, &described, &[]);
        let meta = Meta {
            text: "x".repeat(n),
            tokens: vec![1; n],
            spans: (0..n).map(|i| (i, i + 1)).collect(),
            prefix_tokens: 0,
            ..meta(vec![described.clone()])
        };
        let trace = Trace::new(meta, vec![layer.clone()]).unwrap();
        for head in 0..sizes.heads {
            let all = trace.weights(0, head, 0..n, 0..n).unwrap();
            let off = largest_difference(&all, &weights(&layer, &described, head, &[]));
            prop_assert!(off < 5e-6, "off by {off}");
        }
    }
}
