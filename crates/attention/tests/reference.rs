//! The reference against what can be worked out by hand.

use lookback_attention::Mask;
use lookback_attention::reference::*;
use ndarray::{Array2, array};

#[test]
fn similarity_only_by_hand() {
    // Two orthogonal tokens and one in between; each sees itself and what came before.
    let x = array![[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]];
    let attended = similarity_only(x.view(), &Mask::default()).expect("valid");
    let e = std::f64::consts::E;
    assert_eq!(attended.weights.row(0).to_vec(), [1.0, 0.0, 0.0]);
    // x_2·x = [0, 4]
    let w = 1.0 / (1.0 + e.powi(4));
    assert!((attended.weights[[1, 0]] - w).abs() < 1e-15);
    assert!((attended.output[[1, 1]] - 2.0 * (1.0 - w)).abs() < 1e-15);
    // x_3·x = [1, 2, 2]
    let sum = e + 2.0 * e * e;
    assert!((attended.weights[[2, 0]] - e / sum).abs() < 1e-15);
    assert!((attended.output[[2, 0]] - (e + e * e) / sum).abs() < 1e-15);
}

#[test]
fn strictly_before_leaves_the_first_row_empty() {
    let x = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
    let attended = similarity_only(x.view(), &Mask::StrictlyBefore { offset: 0 }).expect("valid");
    assert_eq!(attended.weights.row(0).to_vec(), [0.0; 3]);
    assert_eq!(attended.output.row(0).to_vec(), [0.0; 2]);
    assert_eq!(attended.output.row(1), x.row(0));
    assert_eq!(
        log_sum_exp(array![[f64::NEG_INFINITY; 2]].view()).expect("valid")[0],
        f64::NEG_INFINITY
    );
}

#[test]
fn head_is_the_composition_of_its_steps() {
    let x = array![
        [1.0, 0.5, -1.0],
        [0.0, 2.0, 1.0],
        [3.0, -1.0, 0.25],
        [0.1, 0.2, 0.3]
    ];
    let w_q = array![[1.0, 0.0], [0.5, -1.0], [0.0, 2.0]];
    let w_k = array![[0.3, 1.0], [0.0, 0.7], [1.0, -0.2]];
    let w_v = array![[1.0], [2.0], [3.0]];
    let matrices = HeadMatrices {
        w_q: w_q.view(),
        w_k: w_k.view(),
        w_v: w_v.view(),
    };
    let found = head(x.view(), matrices, &Mask::default()).expect("valid");
    for i in 0..4 {
        let q = x.row(i).dot(&w_q);
        let scores: Vec<f64> = (0..=i)
            .map(|j| q.dot(&x.row(j).dot(&w_k)) / 2f64.sqrt())
            .collect();
        let sum: f64 = scores.iter().map(|s| s.exp()).sum();
        let mut z = 0.0;
        for (j, s) in scores.iter().enumerate() {
            let w = s.exp() / sum;
            assert!((found.weights[[i, j]] - w).abs() < 1e-14, "{i} {j}");
            z += w * x.row(j).dot(&w_v)[0];
        }
        assert!((found.output[[i, 0]] - z).abs() < 1e-13, "{i}");
        assert!(
            (found.weights.row(i).sum() - 1.0).abs() < 1e-14,
            "row {i} sums to 1"
        );
    }
    // Two heads that are the same and a W_o that adds them give twice one head.
    let w_o = array![[1.0, 0.0, 2.0], [1.0, 0.0, 2.0]];
    let both = multi_head(
        x.view(),
        &[matrices, matrices],
        w_o.view(),
        &Mask::default(),
    )
    .expect("valid");
    assert!((both[[2, 2]] - 4.0 * found.output[[2, 0]]).abs() < 1e-13);
    assert_eq!(both.dim(), x.dim());
}

#[test]
fn softmax_does_not_overflow() {
    let scores = array![[1e6, 1e6 - 1.0], [-1e6, -1e6]];
    let weights = softmax(scores.view()).expect("valid");
    assert!((weights[[0, 0]] - 1.0 / (1.0 + (-1f64).exp())).abs() < 1e-15);
    assert_eq!(weights.row(1).to_vec(), [0.5, 0.5]);
    let lse = log_sum_exp(scores.view()).expect("valid");
    assert!((lse[1] - (-1e6 + 2f64.ln())).abs() < 1e-9);
}

#[test]
fn nan_and_infinity_are_not_hidden() {
    let inf = f64::INFINITY;
    let scores = array![
        [0.0, f64::NAN, -inf],
        [inf, 0.0, -inf],
        [f64::NAN, -inf, -inf]
    ];
    let weights = softmax(scores.view()).expect("valid");
    assert!(weights[[0, 0]].is_nan() && weights[[1, 0]].is_nan() && weights[[2, 0]].is_nan());
    assert_eq!(weights.column(2).to_vec(), [0.0; 3]);
    assert!(
        log_sum_exp(scores.view())
            .expect("valid")
            .iter()
            .all(|x| x.is_nan())
    );
}

#[test]
fn a_value_that_may_not_be_seen_has_no_part() {
    let weights = Array2::from_elem((2, 2), 0.5);
    let v = array![[1.0], [f64::NAN]];
    let sums = weighted_sum(weights.view(), v.view(), &Mask::default()).expect("valid");
    assert_eq!(sums[[0, 0]], 0.5);
    assert!(sums[[1, 0]].is_nan());
}
