//! Statistics of rows and heads, against sums over all weights.

use lookback_trace::{Cut, Error, InterventionRecord, Meta, Trace};
use ndarray::{Array2, Axis};

use crate::common::{self, SMALL, Sizes, causal, layers, meta, sound};

/// A trace whose rows need several blocks, and all weights of its head 0.1.
fn long() -> (Trace, Array2<f32>) {
    let n = 200;
    let sizes = Sizes { n, ..SMALL };
    let layer = common::layer(&mut common::Numbers::new(11), sizes, &causal(), &[]);
    let meta = Meta {
        text: "x".repeat(n),
        tokens: vec![1; n],
        spans: (0..n).map(|i| (i, i + 1)).collect(),
        prefix_tokens: 0,
        ..meta(vec![causal()])
    };
    let trace = Trace::new(meta, vec![layer]).unwrap();
    let all = trace.weights(0, 1, 0..n, 0..n).unwrap();
    (trace, all)
}

#[test]
fn top_k_is_sorted_and_exact() {
    let (trace, all) = long();
    let head = trace.head(0, 1).unwrap();
    let lists = head.top_k_rows(7).unwrap();
    assert_eq!(lists.len(), 200);
    for (i, list) in lists.iter().enumerate() {
        let mut row: Vec<(usize, f32)> =
            all.row(i).iter().copied().enumerate().take(i + 1).collect();
        row.sort_by(|a, b| b.1.total_cmp(&a.1));
        row.truncate(7);
        assert_eq!(list, &row, "row {i}");
        assert_eq!(list, &head.top_k(i, 7).unwrap());
    }
    assert_eq!(head.top_k(2, usize::MAX).unwrap().len(), 3);
    assert!(head.top_k(2, 0).unwrap().is_empty());
}

#[test]
fn among_equals_the_earlier_key_comes_first() {
    let mut layers = layers(&[causal()], &[]);
    layers[0].k.fill(0.0);
    for i in 0..6 {
        layers[0].lse.column_mut(i).fill((1.0 + i as f32).ln());
    }
    let trace = Trace::new(meta(vec![causal()]), layers).unwrap();
    let top: Vec<usize> = trace
        .head(0, 0)
        .unwrap()
        .top_k(5, 3)
        .unwrap()
        .iter()
        .map(|t| t.0)
        .collect();
    assert_eq!(top, [0, 1, 2]);
}

#[test]
fn entropy_and_received() {
    let (trace, all) = long();
    let head = trace.head(0, 1).unwrap();
    let entropies = head.entropy_rows().unwrap();
    let term = |w: f64| if w > 0.0 { -w * w.ln() } else { 0.0 };
    for i in 0..200 {
        let expected: f64 = all.row(i).iter().map(|&w| term(f64::from(w))).sum();
        assert!((f64::from(entropies[i]) - expected).abs() < 1e-5, "row {i}");
        assert_eq!(entropies[i], head.entropy(i).unwrap());
    }
    assert_eq!(entropies[0], 0.0);
    let received = head.received().unwrap();
    let expected = all.mapv(f64::from).sum_axis(Axis(0));
    assert!(
        received
            .iter()
            .zip(&expected)
            .all(|(&a, b)| (f64::from(a) - b).abs() < 1e-5)
    );
    assert!((received.sum() - 200.0).abs() < 1e-3);
}

#[test]
fn a_row_without_keys_has_no_statistics() {
    let cut = (0..=2)
        .map(|j| Cut {
            layer: 0,
            head: 1,
            i: 2,
            j,
        })
        .collect::<Vec<_>>();
    let layers = layers(&[causal()], &cut);
    let edits = InterventionRecord {
        cut,
        ..InterventionRecord::default()
    };
    let trace = Trace::new(
        Meta {
            interventions: edits,
            ..meta(vec![causal()])
        },
        layers,
    )
    .unwrap();
    let head = trace.head(0, 1).unwrap();
    assert!(head.top_k(2, 3).unwrap().is_empty());
    assert!(head.entropy(2).unwrap().is_nan());
    assert!(head.entropy_rows().unwrap()[2].is_nan());
    assert_eq!(
        head.span_mass(2, std::slice::from_ref(&(0..6))).unwrap(),
        [0.0]
    );
}

#[test]
fn mass_on_spans() {
    let (trace, all) = long();
    let head = trace.head(0, 1).unwrap();
    let mass = head.span_mass(150, &[0..1, 10..40, 0..200, 7..7]).unwrap();
    assert_eq!(mass[0], all[[150, 0]]);
    let expected: f32 = (10..40).map(|j| all[[150, j]]).sum();
    assert!((mass[1] - expected).abs() < 1e-6);
    assert!((mass[2] - 1.0).abs() < 1e-5);
    assert_eq!(mass[3], 0.0);
    let beyond = head
        .span_mass(150, std::slice::from_ref(&(190..201)))
        .unwrap_err();
    assert_eq!(
        beyond.to_string(),
        "there are no keys 190..201: this trace has 200 tokens"
    );
}

#[test]
fn queries_that_are_not_there() {
    let trace = sound();
    let head = trace.head(0, 0).unwrap();
    assert!(matches!(head.top_k(6, 1), Err(Error::NoSuchTokens { .. })));
    assert!(matches!(head.entropy(6), Err(Error::NoSuchTokens { .. })));
    assert!(matches!(
        head.span_mass(usize::MAX, &[]),
        Err(Error::NoSuchTokens { .. })
    ));
}
