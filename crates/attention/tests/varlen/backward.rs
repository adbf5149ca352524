//! dQ, dK, dV and the sinks' gradient.

use lookback_attention::backward::{self, Options};
use lookback_attention::varlen::{Gradients, Inputs, Output, backward_on, forward_on};
use lookback_attention::{InstructionSet, KeyRanges, Mask, reference};
use ndarray::{Array1, ArrayView, ArrayView3, Axis, Dimension, s};
use proptest::prelude::*;

use crate::cases::{Case, Operands, cases, part, with_every_option};

/// The fused gradients, and what the forward pass gave.
pub(crate) fn derive(set: InstructionSet, x: &Operands) -> (Output, Gradients) {
    let (sequences, scoring) = (x.sequences(), x.scoring());
    let out = forward_on(set, x.q(), (x.k(), x.v()), &sequences, &scoring).expect("valid");
    let inputs = Inputs {
        q: x.q(),
        k: x.k(),
        v: x.v(),
        o: out.o.view(),
        lse: out.lse.view(),
        d_o: x.d_o(),
        d_lse: x.d_lse().map(|d_lse| d_lse.index_axis_move(Axis(2), 0)),
    };
    let gradients = backward_on(set, &inputs, &sequences, &scoring).expect("valid");
    (out, gradients)
}

/// ‖found − exact‖_F ≤ 10⁻⁵ · ‖exact‖_F + `rounding`, which is what there is where the exact gradient cancels.
fn close<D: Dimension>(
    what: &str,
    found: ArrayView<f32, D>,
    exact: ArrayView<f64, D>,
    rounding: f64,
) -> Result<(), TestCaseError> {
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let error = norm(&mut found.iter().zip(&exact).map(|(&x, y)| f64::from(x) - y));
    let exact = norm(&mut exact.iter().copied());
    prop_assert!(
        error <= 1e-5 * exact + rounding,
        "{what}: ‖error‖ {error:e}, ‖exact‖ {exact:e}, rounding {rounding:e}"
    );
    Ok(())
}

/// A case on every instruction set, each sequence against the reference, and to the bit against the pass over it alone.
fn check(case: &Case) -> Result<(), TestCaseError> {
    let x = Operands::random(case);
    for set in InstructionSet::available() {
        let (out, found) = derive(set, &x);
        compare(set, case, &x, &out, &found)?;
    }
    Ok(())
}

fn compare(
    set: InstructionSet,
    case: &Case,
    x: &Operands,
    out: &Output,
    found: &Gradients,
) -> Result<(), TestCaseError> {
    let scoring = x.scoring();
    let (mut exact_sinks, mut alone_sinks) =
        (Array1::zeros(case.heads()), Array1::zeros(case.heads()));
    let (mut all_have_keys, mut rounding_of_sinks) = (true, 1e-6);
    for (sequence, &lengths) in x.sequences().iter().zip(&case.lengths) {
        let (queries, keys) = (sequence.queries.clone(), sequence.keys.clone());
        let what = |name: &str| format!("{name} of {sequence:?} on {}", set.name());
        let dq = found.dq.slice(s![.., queries.clone(), ..]);
        let dk = found.dk.slice(s![.., keys.clone(), ..]);
        let dv = found.dv.slice(s![.., keys.clone(), ..]);
        if queries.is_empty() || keys.is_empty() {
            for gradient in [dq, dk, dv] {
                prop_assert!(gradient.iter().all(|&x| x == 0.0), "{}", what("0"));
            }
            if let Some(d_lse) = x.d_lse()
                && !queries.is_empty()
            {
                // The sink has all of the weight, so that it takes all of the log-sum-exp's gradient.
                let sums = d_lse.slice_move(s![.., queries, 0]).mapv(f64::from);
                exact_sinks += &sums.sum_axis(Axis(1));
                all_have_keys = false;
            }
            continue;
        }
        let alone = scoring.clone().with_mask(x.mask(lengths));
        let of_queries = |operand| part(operand, queries.clone());
        let (q, d_o) = (of_queries(x.q()), of_queries(x.d_o()));
        let (k, v) = (part(x.k(), keys.clone()), part(x.v(), keys.clone()));
        let d_lse = x.d_lse().map(of_queries);
        let d_lse = d_lse.map(|d_lse| d_lse.index_axis_move(Axis(3), 0));
        let wide = |operand: ndarray::ArrayView4<f32>| operand.mapv(f64::from);
        let exact = reference::backward(
            wide(q).view(),
            wide(k).view(),
            wide(v).view(),
            wide(d_o).view(),
            d_lse
                .map(|d_lse| d_lse.mapv(f64::from))
                .as_ref()
                .map(|d_lse| d_lse.view()),
            &alone,
        )
        .expect("valid");
        // A weight is wrong by as much, relatively. A row's gradients of scores are its weights times dO·v − dO·O, terms of
        // the size √d_v each, and then times scale · k or scale · q, of the size √d_k.
        let rows = (case.heads() * queries.len()) as f64;
        let of_scores = x.rounding(&sequence) * (case.d_v as f64 * rows).sqrt();
        let of_products = of_scores * f64::from(case.scale().abs()) * (case.d_k as f64).sqrt();
        close(
            &what("dq"),
            dq,
            exact.dq.index_axis(Axis(0), 0),
            of_products,
        )?;
        close(
            &what("dk"),
            dk,
            exact.dk.index_axis(Axis(0), 0),
            of_products,
        )?;
        close(&what("dv"), dv, exact.dv.index_axis(Axis(0), 0), of_scores)?;
        rounding_of_sinks += of_scores;

        let lse = out.lse.slice(s![.., queries.clone()]);
        let inputs = backward::Inputs {
            q,
            k,
            v,
            o: of_queries(out.o.view()),
            lse: lse.insert_axis(Axis(0)),
            d_o,
        };
        let mut options = Options::default();
        options.d_lse = d_lse;
        let alone = backward::backward_on(set, &inputs, &options, &alone).expect("valid");
        for (gradient, alone) in [(dq, &alone.dq), (dk, &alone.dk), (dv, &alone.dv)] {
            let alone: ArrayView3<f32> = alone.index_axis(Axis(0), 0);
            prop_assert!(gradient == alone, "{}", what("other bits"));
        }
        if let (Some(exact), Some(alone)) = (exact.d_sinks, alone.d_sinks) {
            exact_sinks += &exact;
            alone_sinks += &alone;
        }
    }
    prop_assert_eq!(found.d_sinks.is_some(), case.sinks);
    if let Some(found) = &found.d_sinks {
        close(
            "d_sinks",
            found.view(),
            exact_sinks.view(),
            rounding_of_sinks,
        )?;
        prop_assert!(!all_have_keys || found == alone_sinks);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_call_agrees_with_the_reference(case in cases()) {
        check(&case)?;
    }
}

/// Long sequences, whose keys are cut into several parts, among short ones.
#[test]
fn sequences_with_several_parts() {
    let lengths = [(900, 1100), (3, 40), (1, 1), (1200, 830), (70, 70)];
    for (seed, mask) in [
        Mask::None,
        Mask::default(),
        Mask::Window {
            window: 100,
            offset: 0,
        },
    ]
    .into_iter()
    .enumerate()
    {
        let case = Case {
            mask,
            d_k: 8,
            d_v: 8,
            sinks: true,
            d_lse: true,
            seed: seed as u64,
            ..Case::plain(&lengths)
        };
        check(&case).expect("agrees");
    }
}

/// Queries that see no key, between others that share a strip of keys across them.
#[test]
fn queries_without_keys_between_others() {
    let visible = (0..200).map(|i| match i {
        0..43 => 0..43,
        43..86 => 43..43,
        _ => 44..129,
    });
    let ranges = KeyRanges::new(visible).expect("ends never decrease");
    let case = Case {
        mask: Mask::Ranges { ranges, offset: 0 },
        ..Case::plain(&[(200, 200)])
    };
    check(&case).expect("agrees");
}

/// Every option alone, and all together.
#[test]
fn every_option() {
    let lengths = [
        (1, 1),
        (17, 17),
        (6, 0),
        (0, 14),
        (96, 97),
        (13, 130),
        (5, 1),
    ];
    let plain = Case {
        d_lse: true,
        ..Case::plain(&lengths)
    };
    for case in with_every_option(&plain) {
        check(&case).expect("agrees");
    }
}
