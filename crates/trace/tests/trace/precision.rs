//! Large scores: what f32 can tell of weights, on both sides of the limit.

use lookback_attention::forward::forward;
use lookback_trace::observe::{Received, RowMax, Rows, TopK};
use lookback_trace::{Layer, Mask, Meta, Scoring, Trace};
use ndarray::{Array3, Axis, s};
use proptest::prelude::*;

use crate::common::{self, Numbers};

/// A trace of one layer of two heads as a run leaves it behind, the LSE from the kernel, whose largest |score| is about `largest`.
fn run(seed: u64, n: usize, largest: f32, mask: Mask) -> Trace {
    let (heads, d_k) = (2, 16);
    let mut numbers = Numbers::new(seed);
    let q: Array3<f32> = numbers.array((heads, n, d_k));
    let k: Array3<f32> = numbers.array((heads, n, d_k));
    let highest = (0..heads)
        .map(|h| q.index_axis(Axis(0), h).dot(&k.index_axis(Axis(0), h).t()))
        .flat_map(|scores| scores.into_iter())
        .fold(0.0_f32, |highest, s| highest.max(s.abs()));
    let scoring = Scoring::new(largest / highest, mask);
    let [q4, k4] = [&q, &k].map(|x| x.view().insert_axis(Axis(0)));
    let lse = forward(q4, k4, k4, &scoring).unwrap().lse;
    let layer = Layer {
        lse: lse.index_axis_move(Axis(0), 0),
        q,
        k,
        ..Layer::default()
    };
    let meta = Meta {
        text: "x".repeat(n),
        tokens: vec![1; n],
        spans: (0..n).map(|i| (i, i + 1)).collect(),
        prefix_tokens: 0,
        ..common::meta(vec![scoring])
    };
    Trace::new(meta, vec![layer]).unwrap()
}

/// How far the sum of a row is from 1, at most, and the largest weight.
fn farthest_sum(trace: &Trace) -> (f64, f32) {
    let n = trace.n();
    let (mut farthest, mut largest) = (0.0_f64, 0.0_f32);
    for head in 0..2 {
        let weights = trace.weights(0, head, 0..n, 0..n).unwrap();
        for row in weights.outer_iter().filter(|row| row.sum() > 0.0) {
            let sum: f64 = row.iter().map(|&w| f64::from(w)).sum();
            farthest = farthest.max((sum - 1.0).abs());
            largest = row.iter().copied().fold(largest, f32::max);
        }
    }
    (farthest, largest)
}

fn masks() -> impl Strategy<Value = Mask> {
    prop_oneof![
        Just(Mask::None),
        Just(Mask::Causal { offset: 0 }),
        (1_usize..40).prop_map(|window| Mask::Window { window, offset: 0 }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn up_to_1000_rows_sum_to_1_within_1e_4(
        seed in any::<u64>(), n in 1_usize..120, largest in 0.1_f32..1000.0, mask in masks(),
    ) {
        let trace = run(seed, n, largest, mask);
        let (farthest, highest) = farthest_sum(&trace);
        prop_assert!(farthest < 1e-4, "{farthest}");
        prop_assert!(highest <= 1.0, "{highest}");
        prop_assert_eq!(trace.precision().note(), None);
        prop_assert!(farthest <= trace.precision().row_sum_error + 2e-6);
    }

    #[test]
    fn beyond_it_no_weight_is_above_1_and_the_trace_says_how_far_a_sum_may_be_off(
        seed in any::<u64>(), n in 2_usize..120, exponent in 4.0_f32..9.0, mask in masks(),
    ) {
        let largest = 10_f32.powf(exponent);
        let trace = run(seed, n, largest, mask);
        let (farthest, highest) = farthest_sum(&trace);
        prop_assert!(highest <= 1.0, "{highest}");
        let precision = trace.precision();
        // Sums are only made smaller by what is taken off weights above 1.
        prop_assert!(farthest <= precision.row_sum_error * f64::from(highest) + 2e-6 || precision.row_sum_error > 1e3, "{farthest} {precision:?}");
        prop_assert_eq!(precision.note().is_some(), precision.row_sum_error > 1e-4);
    }
}

#[test]
fn nothing_that_is_found_of_large_scores_is_above_1() {
    for largest in [1e4, 1e6, 1e7, 1e8] {
        let trace = run(5, 90, largest, Mask::default());
        assert!(trace.precision().note().is_some(), "{largest}");
        let observer = (
            Rows::new((0..90).collect::<Vec<_>>()),
            RowMax,
            TopK::by_weight(4),
            Received,
        );
        let (rows, max, top, received) = trace.observe(0, &observer).unwrap();
        assert!(
            rows.iter().chain(max.iter()).all(|&w| w <= 1.0),
            "{largest}"
        );
        for head in 0..2 {
            let weights = trace.weights(0, head, 0..90, 0..90).unwrap();
            assert_eq!(weights, rows.slice(s![0, head, .., ..]));
            for i in 0..90 {
                assert!(top.list(0, head, i).all(|(_, w)| w <= 1.0));
                let span = std::slice::from_ref(&(0..90));
                assert!(trace.head(0, head).unwrap().span_mass(i, span).unwrap()[0] <= 1.0);
            }
            let sums = weights.mapv(f64::from).sum_axis(Axis(0));
            let found = received.slice(s![0, head, ..]);
            assert!(found.iter().zip(&sums).all(|(a, b)| (a - b).abs() < 1e-4));
        }
        let words = trace.words().len();
        for word in 0..words {
            let weights = trace.word_weights(0, 0, word).unwrap();
            assert!(weights.words.iter().all(|&w| w <= 1.0));
        }
    }
}
