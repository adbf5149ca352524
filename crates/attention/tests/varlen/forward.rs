//! O and the log-sum-exp.

use half::{bf16, f16};
use lookback_attention::varlen::{Output, forward_on};
use lookback_attention::{Element, InstructionSet, forward};
use ndarray::{Array3, ArrayView3, Axis, s};
use proptest::prelude::*;

use crate::cases::{Case, Operands, cases, part, with_every_option};
use crate::common::{agrees, exact};

/// Every sequence of `found` against the reference, and to the bit against the pass over it alone.
fn compare<E: Element + Into<f64>>(
    set: InstructionSet,
    case: &Case,
    x: &Operands,
    (k, v): (ArrayView3<E>, ArrayView3<E>),
    found: &Output,
) -> Result<(), TestCaseError> {
    let (q, scoring, name) = (x.q(), x.scoring(), set.name());
    for (sequence, &lengths) in x.sequences().iter().zip(&case.lengths) {
        let (queries, keys) = (sequence.queries.clone(), sequence.keys.clone());
        prop_assert_eq!((queries.len(), keys.len()), lengths);
        let o = found.o.slice(s![.., queries.clone(), ..]);
        let lse = found.lse.slice(s![.., queries.clone()]);
        if queries.is_empty() {
            continue;
        }
        if keys.is_empty() {
            let sinks = scoring.sinks.as_deref().unwrap_or(&[]);
            prop_assert!(o.iter().all(|&o| o == 0.0), "{} {:?}", name, sequence);
            for ((h, _), &lse) in lse.indexed_iter() {
                let sink = sinks.get(h).copied().unwrap_or(f32::NEG_INFINITY);
                prop_assert!(
                    agrees(lse, sink.into(), 2e-7, f64::from(sink).abs()),
                    "{name} lse of a row without keys: {lse} {sink}"
                );
            }
            continue;
        }
        let alone = scoring.clone().with_mask(x.mask(lengths));
        let (q, k, v) = (part(q, queries), part(k, keys.clone()), part(v, keys));
        let expected = exact(q, k, v, &alone);
        let rounding = x.rounding(&sequence);
        for ((h, i, c), &o) in o.indexed_iter() {
            let exact = expected.o[[0, h, i, c]];
            prop_assert!(
                agrees(o, exact, 6.0 * rounding, 0.0),
                "{name} o of {sequence:?} at {:?}: {o} {exact}",
                (h, i, c)
            );
        }
        for ((h, i), &lse) in lse.indexed_iter() {
            let exact = expected.lse[[0, h, i]];
            prop_assert!(
                agrees(lse, exact, rounding, exact.abs()),
                "{name} lse of {sequence:?} at {:?}: {lse} {exact}",
                (h, i)
            );
        }
        let alone = forward::forward_on(set, q, k, v, &alone).expect("valid");
        prop_assert!(o == alone.o.index_axis(Axis(0), 0), "{name} {sequence:?}");
        prop_assert!(
            lse == alone.lse.index_axis(Axis(0), 0),
            "{name} {sequence:?}"
        );
    }
    Ok(())
}

/// A case with keys and values as `E`.
fn check_as<E: Element + Into<f64>>(
    case: &Case,
    narrow: impl Fn(f32) -> E,
) -> Result<(), TestCaseError> {
    let x = Operands::random(case);
    // (`mapv` of an empty view with strides trips a debug assertion of ndarray 0.17.)
    let [k, v] = [x.k(), x.v()]
        .map(|operand| Array3::from_shape_fn(operand.dim(), |at| narrow(operand[at])));
    for set in InstructionSet::available() {
        let operands = (k.view(), v.view());
        let found = forward_on(set, x.q(), operands, &x.sequences(), &x.scoring()).expect("valid");
        compare(set, case, &x, operands, &found)?;
    }
    Ok(())
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let x = Operands::random(case);
    for set in InstructionSet::available() {
        let operands = (x.k(), x.v());
        let found = forward_on(set, x.q(), operands, &x.sequences(), &x.scoring()).expect("valid");
        compare(set, case, &x, operands, &found)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_call_agrees_with_the_reference(case in cases()) {
        check(&case)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_call_with_narrow_keys_agrees_with_the_reference(case in cases()) {
        check_as(&case, f16::from_f32)?;
        check_as(&case, bf16::from_f32)?;
    }
}

/// Every option alone, and all together, at lengths around the sizes of strips, panels, tasks and blocks.
#[test]
fn every_option_at_lengths_around_the_kernels_sizes() {
    let lengths = [
        (1, 1),
        (17, 17),
        (0, 0),
        (6, 14),
        (96, 97),
        (13, 257),
        (99, 256),
        (5, 1),
        (258, 16),
    ];
    for case in with_every_option(&Case::plain(&lengths)) {
        check(&case).expect("agrees");
    }
}

/// What is not finite stays in its sequence: neither a neighbour's panel nor its padding reads it.
#[test]
fn nothing_leaks_from_a_neighbour() {
    let case = Case::plain(&[(30, 30), (7, 7), (50, 50), (1, 1), (19, 19)]);
    let x = Operands::random(&case);
    let sequences = x.sequences();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for spoilt in [0, 2, 3] {
            let range = sequences.iter().nth(spoilt).expect("five").keys;
            let spoil = |operand: ArrayView3<f32>| {
                let mut operand = operand.to_owned();
                operand.slice_mut(s![.., range.clone(), ..]).fill(bad);
                operand
            };
            let (q, k, v) = (spoil(x.q()), spoil(x.k()), spoil(x.v()));
            for set in InstructionSet::available() {
                let on = |q, k, v| forward_on(set, q, (k, v), &sequences, &x.scoring());
                let clean = on(x.q(), x.k(), x.v()).expect("valid");
                let found = on(q.view(), k.view(), v.view()).expect("valid");
                for (at, sequence) in sequences.iter().enumerate() {
                    let rows = s![.., sequence.queries, ..];
                    let same = found.o.slice(rows) == clean.o.slice(rows);
                    assert_eq!(same, at != spoilt, "{} {bad} {at}", set.name());
                }
            }
        }
    }
}
