//! Means of many rows in one walk, held against those that are computed one by one.

use std::ops::Range;

use lookback_trace::{Cut, Error, Mask, Meta, Scoring, Trace};
use ndarray::s;

use crate::common::{self, Numbers, SMALL, Sizes, layers, meta};

/// Asserts that each mean over the heads is what [`Head::mean_row`](lookback_trace::Head::mean_row) gives: the weights are of
/// the same operations in the same order, so that they are equal to the last bit.
fn check(trace: &Trace, ranges: &[Range<usize>]) {
    for layer in 0..trace.layer_count() {
        let means = trace.mean_rows(layer, ranges).unwrap();
        assert_eq!(
            means.dim(),
            (trace.head_count(layer), ranges.len(), trace.n())
        );
        for head in 0..trace.head_count(layer) {
            for (at, range) in ranges.iter().enumerate() {
                let alone = trace.head(layer, head).unwrap().mean_row(range.clone());
                assert_eq!(
                    means.slice(s![head, at, ..]),
                    alone.unwrap(),
                    "{head} {range:?}"
                );
            }
        }
    }
}

#[test]
fn many_rows_of_all_heads_are_those_of_each() {
    let sunk = common::causal().with_sinks(vec![0.5, -3.0, 2.0, 0.0]);
    let windowed = Scoring::new(
        0.577,
        Mask::Window {
            window: 3,
            offset: 0,
        },
    );
    let edge = |layer, head, i, j| Cut { layer, head, i, j };
    let mut cuts = vec![edge(1, 2, 5, 3), edge(0, 3, 4, 1)];
    // A row with nothing left.
    cuts.extend((0..=2).map(|j| edge(0, 1, 2, j)));
    let described = [common::causal(), sunk, windowed];
    let mut meta = meta(described.to_vec());
    meta.interventions.cut.clone_from(&cuts);
    let trace = Trace::new(meta, layers(&described, &cuts)).unwrap();
    // In no order, one of them twice, and overlapping.
    check(&trace, &[3..5, 0..1, 2..3, 0..6, 3..5, 5..6]);
    check(&trace, &[]);
}

#[test]
fn more_rows_than_are_held_at_a_time() {
    let n = 1100;
    let described = common::causal();
    // Queries of 0 look at all keys alike, so that the LSE of query i is ln(i + 1).
    let mut layer = common::layer(&mut Numbers::new(5), SMALL, &described, &[]);
    let Sizes {
        heads,
        kv_heads,
        d_k,
        d_v,
        ..
    } = SMALL;
    layer.q = ndarray::Array::zeros((heads, n, d_k));
    layer.k = Numbers::new(6).array((kv_heads, n, d_k));
    layer.v = Some(ndarray::Array::zeros((kv_heads, n, d_v)));
    layer.vnorm = None;
    layer.lse = ndarray::Array::from_shape_fn((heads, n), |(_, i)| (i as f32 + 1.0).ln());
    let meta = Meta {
        text: "x".repeat(n),
        tokens: vec![1; n],
        spans: (0..n).map(|i| (i, i + 1)).collect(),
        prefix_tokens: 0,
        ..meta(vec![described])
    };
    // 4 heads × 1,100 rows × 1,100 keys are more than four million weights.
    check(&Trace::new(meta, vec![layer]).unwrap(), &[0..n, 7..8]);
}

#[test]
fn ranges_that_are_not_there_and_damaged_rows_are_refused() {
    let trace = common::sound();
    for range in [2..2, 2..7, 6..7] {
        assert!(matches!(
            trace.mean_rows(0, std::slice::from_ref(&range)),
            Err(Error::NoSuchTokens { .. })
        ));
    }
    assert!(matches!(
        trace.mean_rows(2, &[]),
        Err(Error::NoSuchLayer { .. })
    ));
    for (by, row) in [(5.0, true), (-5.0, false)] {
        let mut layers = layers(&[common::causal()], &[]);
        layers[0].lse[[2, 3]] += by;
        let trace = Trace::new(meta(vec![common::causal()]), layers).unwrap();
        let refused = trace
            .mean_rows(0, std::slice::from_ref(&(3..4)))
            .unwrap_err();
        match row {
            true => assert!(matches!(refused, Error::NotARow { head: 2, i: 3, .. })),
            false => assert!(matches!(refused, Error::NotAWeight { head: 2, i: 3, .. })),
        }
        // Rows that sum to something else are noticed where they are asked for.
        assert_eq!(
            trace.mean_rows(0, std::slice::from_ref(&(4..6))).is_ok(),
            row
        );
    }
}
