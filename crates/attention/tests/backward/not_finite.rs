//! NaN, infinities and queries without keys: as in the reference.

use lookback_attention::InstructionSet;
use lookback_attention::backward::Gradients;
use lookback_attention::reference::ExactGradients;
use ndarray::{Array, Array4, Dimension};

use crate::cases::{Choice, Dims, Operands, masks};
use crate::common::agrees;
use crate::fused::fused;

const DIMS: Dims = Dims {
    b: 1,
    h: 2,
    h_kv: 1,
    n: 21,
    m: 26,
    d_k: 5,
    d_v: 18,
};

/// One of the operands, to plant a number in.
type Place = fn(&mut Operands) -> &mut Array4<f64>;

const PLACES: [(&str, Place); 4] = [
    ("q", |x| &mut x.q),
    ("k", |x| &mut x.k),
    ("v", |x| &mut x.v),
    ("d_o", |x| &mut x.d_o),
];

/// Element by element: NaN where the reference has NaN, its infinities, and its numbers.
fn same<D: Dimension>(what: &str, found: &Array<f32, D>, exact: &Array<f64, D>) {
    for (i, (&found, &exact)) in found.iter().zip(exact).enumerate() {
        assert!(
            agrees(found, exact, 2e-5, exact.abs()),
            "{what}[{i}] is {found}, the reference has {exact}"
        );
    }
}

fn check(what: &str, found: &Gradients, exact: &ExactGradients) {
    same(&format!("dq, {what}"), &found.dq, &exact.dq);
    same(&format!("dk, {what}"), &found.dk, &exact.dk);
    same(&format!("dv, {what}"), &found.dv, &exact.dv);
    if let (Some(found), Some(exact)) = (&found.d_bias, &exact.d_bias) {
        same(&format!("d_bias, {what}"), found, exact);
    }
    if let (Some(found), Some(exact)) = (&found.d_sinks, &exact.d_sinks) {
        same(&format!("d_sinks, {what}"), found, exact);
    }
}

#[test]
fn what_is_not_finite_goes_where_the_reference_says() {
    for set in InstructionSet::available() {
        for mask in masks(DIMS.n, DIMS.m) {
            for (place, of) in PLACES {
                for (at, value) in [
                    (0, f64::NAN),
                    (37, f64::INFINITY),
                    (61, f64::NEG_INFINITY),
                    (104, f64::NAN),
                ] {
                    let mut x = Operands::random(
                        DIMS,
                        &Choice {
                            mask: mask.clone(),
                            ..Choice::default()
                        },
                        at as u64,
                    );
                    *of(&mut x)
                        .iter_mut()
                        .nth(at)
                        .expect("an index within the array") = value;
                    let what = format!("{value} in {place} at {at}, {mask:?} on {}", set.name());
                    check(&what, &fused(set, &x), &x.exact());
                }
            }
        }
    }
}

#[test]
fn a_bias_may_hide_keys_and_hold_anything() {
    for set in InstructionSet::available() {
        for mask in masks(DIMS.n, DIMS.m) {
            for value in [f32::NEG_INFINITY, f32::NAN, f32::INFINITY] {
                let shape = [1, DIMS.h, DIMS.n, DIMS.m];
                let choice = Choice {
                    mask: mask.clone(),
                    bias: Some(shape),
                    d_lse: true,
                    ..Choice::default()
                };
                let mut x = Operands::random(DIMS, &choice, 5);
                let bias = x.bias.as_mut().expect("chosen");
                // Here and there, and a whole row.
                bias.iter_mut().step_by(17).for_each(|x| *x = value);
                if value == f32::NEG_INFINITY {
                    bias.slice_mut(ndarray::s![.., 1, 4, ..]).fill(value);
                }
                let what = format!("{value} in the bias, {mask:?} on {}", set.name());
                check(&what, &fused(set, &x), &x.exact());
            }
        }
    }
}

#[test]
fn a_key_that_the_bias_hides_has_weight_0_beside_nan() {
    for set in InstructionSet::available() {
        let shape = [1, DIMS.h, DIMS.n, DIMS.m];
        let mut x = Operands::random(
            DIMS,
            &Choice {
                bias: Some(shape),
                ..Choice::default()
            },
            6,
        );
        let bias = x.bias.as_mut().expect("chosen");
        bias.iter_mut()
            .step_by(5)
            .for_each(|x| *x = f32::NEG_INFINITY);
        bias.iter_mut().step_by(43).for_each(|x| *x = f32::NAN);
        check(set.name(), &fused(set, &x), &x.exact());
    }
}

#[test]
fn a_query_without_keys_has_gradient_0_and_gives_none() {
    for set in InstructionSet::available() {
        let lengths = Some(vec![9]);
        let hidden = lookback_attention::Mask::Window {
            window: 3,
            offset: -4,
        };
        let choice = Choice {
            mask: hidden.clone(),
            key_lengths: lengths,
            d_lse: true,
            sinks: true,
            ..Choice::default()
        };
        let mut x = Operands::random(DIMS, &choice, 1);
        // Whatever they hold, and whatever comes back for them.
        let sees = |i: usize| !hidden.visible(i, 9).is_empty();
        for i in (0..DIMS.n).filter(|&i| !sees(i)) {
            x.q.slice_mut(ndarray::s![.., .., i, ..]).fill(f64::NAN);
        }
        x.sinks.as_mut().expect("chosen").fill(f32::NEG_INFINITY);
        let found = fused(set, &x);
        check("rows without keys", &found, &x.exact());
        for i in (0..DIMS.n).filter(|&i| !sees(i)) {
            assert!(
                found
                    .dq
                    .slice(ndarray::s![.., .., i, ..])
                    .iter()
                    .all(|&x| x == 0.0),
                "query {i}"
            );
        }
        assert!(
            found
                .dk
                .slice(ndarray::s![.., .., 9.., ..])
                .iter()
                .all(|&x| x == 0.0)
        );
        assert_eq!(found.d_sinks.expect("chosen").to_vec(), [0.0, 0.0]);
    }
}
