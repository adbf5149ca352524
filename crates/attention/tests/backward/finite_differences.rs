//! The reference's gradients against differences of the reference's forward pass.

use lookback_attention::reference::{ExactGradients, attention};
use ndarray::Array4;

use crate::cases::{Choice, Dims, Operands, choices};

/// Σ dO∘O + Σ dLSE∘LSE, over the rows that have a log-sum-exp.
fn loss(x: &Operands) -> f64 {
    let exact =
        attention(x.q.view(), x.k.view(), x.v.view(), &x.scoring()).expect("shapes that fit");
    let of_lse = |d_lse: &ndarray::Array3<f64>| -> f64 {
        let pairs = d_lse.iter().zip(&exact.lse);
        pairs
            .filter(|(_, lse)| lse.is_finite())
            .map(|(d, lse)| d * lse)
            .sum()
    };
    (&x.d_o * &exact.o).sum() + x.d_lse.as_ref().map_or(0.0, of_lse)
}

/// ∂loss by central differences of fourth order; `nudge(x, at, by)` adds `by` to the value numbered `at`.
fn differences(x: &Operands, len: usize, nudge: impl Fn(&mut Operands, usize, f64)) -> Vec<f64> {
    // 2⁻⁹ is exact on top of every operand, in f32 too; the error is of the order of its fourth power.
    const STEP: f64 = 1.0 / 512.0;
    let at = |i, by| {
        let mut moved = x.clone();
        nudge(&mut moved, i, by);
        loss(&moved)
    };
    let one = |i| 8.0 * (at(i, STEP) - at(i, -STEP)) - (at(i, 2.0 * STEP) - at(i, -2.0 * STEP));
    (0..len).map(|i| one(i) / (12.0 * STEP)).collect()
}

fn add(a: &mut Array4<f64>, at: usize, by: f64) {
    *a.iter_mut().nth(at).expect("an index within the array") += by;
}

fn check<'a>(
    what: &str,
    got: impl IntoIterator<Item = &'a f64>,
    expected: Vec<f64>,
    case: &Choice,
) {
    let got: Vec<f64> = got.into_iter().copied().collect();
    assert_eq!(got.len(), expected.len(), "{what}: {case:?}");
    for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
        assert!(
            (got - expected).abs() < 2e-9,
            "{what}[{i}] is {got}, differences give {expected}: {case:?}"
        );
    }
}

fn agrees_with_differences(dims: Dims, choice: &Choice, seed: u64) {
    let x = Operands::random(dims, choice, seed);
    let ExactGradients {
        dq,
        dk,
        dv,
        d_bias,
        d_sinks,
    } = x.exact();
    check(
        "dq",
        &dq,
        differences(&x, dq.len(), |x, i, by| add(&mut x.q, i, by)),
        choice,
    );
    check(
        "dk",
        &dk,
        differences(&x, dk.len(), |x, i, by| add(&mut x.k, i, by)),
        choice,
    );
    check(
        "dv",
        &dv,
        differences(&x, dv.len(), |x, i, by| add(&mut x.v, i, by)),
        choice,
    );
    assert_eq!(d_bias.is_some(), choice.bias.is_some());
    if let Some(d_bias) = d_bias {
        let nudge = |x: &mut Operands, i, by| {
            *x.bias
                .iter_mut()
                .flatten()
                .nth(i)
                .expect("an index within the bias") += by as f32;
        };
        check(
            "d_bias",
            &d_bias,
            differences(&x, d_bias.len(), nudge),
            choice,
        );
    }
    assert_eq!(d_sinks.is_some(), choice.sinks);
    if let Some(d_sinks) = d_sinks {
        let nudge = |x: &mut Operands, i, by| {
            *x.sinks
                .iter_mut()
                .flatten()
                .nth(i)
                .expect("an index within the sinks") += by as f32;
        };
        check(
            "d_sinks",
            &d_sinks,
            differences(&x, d_sinks.len(), nudge),
            choice,
        );
    }
}

#[test]
fn every_option_agrees_with_finite_differences() {
    let dims = Dims {
        b: 2,
        h: 4,
        h_kv: 2,
        n: 3,
        m: 5,
        d_k: 2,
        d_v: 3,
    };
    for (seed, choice) in choices(dims).iter().enumerate() {
        agrees_with_differences(dims, choice, seed as u64);
    }
}

#[test]
fn one_query_one_key_and_more_queries_than_keys() {
    for dims in [
        Dims {
            b: 1,
            h: 1,
            h_kv: 1,
            n: 1,
            m: 1,
            d_k: 1,
            d_v: 1,
        },
        Dims {
            b: 1,
            h: 2,
            h_kv: 1,
            n: 5,
            m: 2,
            d_k: 3,
            d_v: 1,
        },
        Dims {
            b: 1,
            h: 3,
            h_kv: 3,
            n: 1,
            m: 4,
            d_k: 1,
            d_v: 2,
        },
    ] {
        for (seed, choice) in choices(dims).iter().enumerate() {
            agrees_with_differences(dims, choice, 1000 + seed as u64);
        }
    }
}
