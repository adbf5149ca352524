//! Any call against the reference.

use lookback_attention::forward::{Output, forward_on};
use lookback_attention::reference::Exact;
use lookback_attention::weights::weights_on;
use lookback_attention::{InstructionSet, Mask, Scoring};
use ndarray::s;
use proptest::prelude::*;

use crate::common::cases::{Case, Operands, cases, lengths};
use crate::common::{Random, agrees, exact, output_agrees};

/// Runs a case on every instruction set and compares O, LSE and the weights of the last head with the reference.
fn check(case: &Case) -> Result<(), TestCaseError> {
    let operands = case.operands(&mut Random(case.seed));
    let ([q, k, v], scoring) = (operands.views(), operands.scoring());
    let expected = exact(q, k, v, &scoring);
    let rounding = case.rounding(&q, &k);
    for set in InstructionSet::available() {
        let found = forward_on(set, q, k, v, &scoring).expect("valid");
        output_agrees(set.name(), &found, &expected, rounding)?;
        last_head(set, (case, &operands), (&found, &expected))?;
    }
    Ok(())
}

/// Some of the last head's weights, from the LSE that was found.
fn last_head(
    set: InstructionSet,
    (case, operands): (&Case, &Operands),
    (found, expected): (&Output, &Exact),
) -> Result<(), TestCaseError> {
    let ([q, k, _], scoring) = (operands.views(), operands.scoring());
    let (b, h) = (case.b - 1, case.heads() - 1);
    let rows = case.n / 3..case.n;
    let cols = case.m / 4..(case.m * 7).div_ceil(8);
    let head = (
        q.slice(s![b, h, .., ..]),
        k.slice(s![b, h / case.group, .., ..]),
        found.lse.slice(s![b, h, ..]),
    );
    let scoring = scoring.for_head(b, h);
    let w = weights_on(set, head, &scoring, rows.clone(), cols.clone()).expect("valid");
    let rounding = case.rounding(&q, &k);
    for ((i, j), &w) in w.indexed_iter() {
        let exact = expected.weights[[b, h, rows.start + i, cols.start + j]];
        let what = format!("{} weight {i} {j}: {w} {exact}", set.name());
        prop_assert!(agrees(w, exact, rounding, 0.0), "{}", what);
        prop_assert!(w == 0.0 || exact > 0.0, "unseen: {}", what);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn any_call_agrees_with_the_reference(case in cases(1usize..4, (lengths(), lengths()))) {
        check(&case)?;
    }
}

/// Every head size that matters × ragged lengths, without options: sizes that a random draw might miss.
#[test]
fn head_sizes_by_ragged_lengths() {
    const LENGTHS: [(usize, usize); 8] = [
        (1, 1),
        (1, 17),
        (5, 5),
        (6, 16),
        (7, 33),
        (97, 97),
        (13, 257),
        (101, 515),
    ];
    for d in [1, 7, 16, 64, 80, 96, 128, 256] {
        for (n, m) in LENGTHS {
            let d_v = if n % 2 == 0 { d } else { d / 2 + 1 };
            check(&Case::plain(1, (n, m), (d, d_v))).expect("agrees");
        }
    }
}

/// ‖O − O*‖ / ‖O*‖ on inputs of unit variance.
#[test]
fn relative_error_is_a_few_roundings() {
    let mut random = Random(7);
    let (q, k, v) = (
        random.plain([1, 2, 1024, 64]),
        random.plain([1, 2, 1024, 64]),
        random.plain([1, 2, 1024, 64]),
    );
    for mask in [Mask::None, Mask::default()] {
        let scoring = Scoring::default().with_mask(mask.clone());
        let expected = exact(q.view(), k.view(), v.view(), &scoring);
        for set in InstructionSet::available() {
            let found = forward_on(set, q.view(), k.view(), v.view(), &scoring).expect("valid");
            let difference: f64 = found
                .o
                .iter()
                .zip(&expected.o)
                .map(|(&x, y)| (f64::from(x) - y).powi(2))
                .sum();
            let norm: f64 = expected.o.iter().map(|y| y * y).sum();
            let error = (difference / norm).sqrt();
            assert!(error < 1e-6, "{} {mask:?}: {error:e}", set.name());
        }
    }
}
