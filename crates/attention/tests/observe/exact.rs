//! Every observer against sums over all weights of the reference.

use lookback_attention::InstructionSet;
use proptest::prelude::*;

use crate::asked::{Asked, Truth};
use crate::common::cases::{Case, cases, lengths};
use crate::common::{Random, exact};

/// Runs a case on every instruction set and compares all observers with the reference's weights.
fn check(case: &Case, k: usize) -> Result<(), TestCaseError> {
    let mut random = Random(case.seed);
    let operands = case.operands(&mut random);
    let ([q, keys, v], scoring) = (operands.views(), operands.scoring());
    let expected = exact(q, keys, v, &scoring);
    let lse = expected.lse.mapv(|lse| lse as f32);
    let truth = Truth {
        weights: &expected.weights,
        // The score and the LSE are each off by a rounding; and a sum takes up to 48 roundings in f32 (16 lines of a tile's
        // row, 16 lanes, and the queries of a block in threes).
        off: 2.0 * case.rounding(&q, &keys) + 48.0 * 6e-8,
    };
    let shape = [case.heads(), case.n, case.m];
    let asked = Asked::new(shape, k, case.options.mask.clone(), &mut random);
    for set in InstructionSet::available() {
        asked.check(set, (q, keys, lse.view()), &scoring, &truth)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_walk_agrees_with_the_reference(
        case in cases(1usize..3, (lengths(), lengths())),
        k in prop_oneof![4 => 0usize..20, 1 => 60usize..200],
    ) {
        check(&case, k)?;
    }
}
