//! Sequences without queries, without keys, and none at all.

use lookback_attention::varlen::{Inputs, Sequences, backward, forward, observe};
use lookback_attention::{Scoring, observe::Entropy};
use ndarray::{Array2, Array3};

/// O, LSE and gradients of a batch with so many queries and keys; 2 heads, d_k 4, d_v 3, everything 1.
fn run(sequences: &Sequences, (n, m): (usize, usize), scoring: &Scoring) -> [Array3<f32>; 4] {
    let ones = |tokens, d| Array3::<f32>::ones((2, tokens, d));
    let (q, k, v) = (ones(n, 4), ones(m, 4), ones(m, 3));
    let out = forward(q.view(), k.view(), v.view(), sequences, scoring).expect("valid");
    let (d_o, d_lse) = (ones(n, 3), Array2::ones((2, n)));
    let inputs = Inputs {
        q: q.view(),
        k: k.view(),
        v: v.view(),
        o: out.o.view(),
        lse: out.lse.view(),
        d_o: d_o.view(),
        d_lse: Some(d_lse.view()),
    };
    let gradients = backward(&inputs, sequences, scoring).expect("valid");
    assert_eq!(gradients.d_sinks.is_some(), scoring.sinks.is_some());
    if let Some(d_sinks) = gradients.d_sinks {
        assert!(d_sinks.iter().all(|x| x.is_finite()));
    }
    let lse = out.lse.clone().insert_axis(ndarray::Axis(2));
    assert!(out.o.iter().all(|x| x.is_finite()) && !lse.iter().any(|x| x.is_nan()));
    let found = observe(
        q.view(),
        k.view(),
        out.lse.view(),
        sequences,
        scoring,
        |_, _| Entropy,
    )
    .expect("valid");
    for (found, sequence) in found.iter().zip(sequences.iter()) {
        let empty = sequence.queries.is_empty() || sequence.keys.is_empty();
        assert_eq!(found.is_none(), empty);
    }
    [lse, gradients.dq, gradients.dk, gradients.dv]
}

#[test]
fn no_sequence() {
    let sequences = Sequences::new(&[0]).expect("valid");
    assert!(sequences.is_empty() && sequences.iter().next().is_none());
    run(&sequences, (0, 0), &Scoring::default());
    run(
        &sequences,
        (0, 0),
        &Scoring::default().with_sinks(&[0.5, 1.0]),
    );
}

#[test]
fn only_empty_sequences() {
    let sequences = Sequences::new(&[0, 0, 0]).expect("valid");
    assert_eq!(sequences.len(), 2);
    run(&sequences, (0, 0), &Scoring::default());
}

#[test]
fn only_keys_have_gradients_of_zero() {
    let sequences = Sequences::at_end(&[0, 0, 0], &[0, 3, 5]).expect("valid");
    let [_, _, dk, dv] = run(
        &sequences,
        (0, 5),
        &Scoring::default().with_sinks(&[0.5; 2]),
    );
    assert!(dk.iter().chain(&dv).all(|&x| x == 0.0));
}

#[test]
fn only_queries_have_the_sink() {
    let sequences = Sequences::at_end(&[0, 3, 5], &[0, 0, 0]).expect("valid");
    let [lse, dq, ..] = run(&sequences, (5, 0), &Scoring::default());
    assert!(lse.iter().all(|&x| x == f32::NEG_INFINITY));
    assert!(dq.iter().all(|&x| x == 0.0));
    let [lse, ..] = run(
        &sequences,
        (5, 0),
        &Scoring::default().with_sinks(&[0.5; 2]),
    );
    assert!(lse.iter().all(|&x| x == 0.5));
}
