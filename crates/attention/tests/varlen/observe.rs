//! Observers: what they find of each sequence is what they find of it alone.

use lookback_attention::observe::{Entropy, Received, TopK, observe_on as observe_alone};
use lookback_attention::varlen::{forward_on, observe_on};
use lookback_attention::{Error, InstructionSet, Mask};
use ndarray::{Axis, s};

use crate::cases::{Case, Operands, part};

#[test]
fn each_sequence_as_alone() {
    for mask in [Mask::default(), Mask::None] {
        let case = Case {
            mask,
            sinks: true,
            alibi: true,
            ..Case::plain(&[(30, 41), (0, 7), (7, 0), (1, 1), (100, 300)])
        };
        let x = Operands::random(&case);
        let (sequences, scoring) = (x.sequences(), x.scoring());
        for set in InstructionSet::available() {
            let kv = (x.k(), x.v());
            let lse = forward_on(set, x.q(), kv, &sequences, &scoring)
                .expect("valid")
                .lse;
            let call = (x.q(), x.k(), lse.view());
            let mut asked = Vec::new();
            let found = observe_on(set, call, &sequences, &scoring, |i, sequence| {
                asked.push((i, sequence.clone()));
                (TopK::by_weight(3), (Entropy, Received))
            })
            .expect("valid");
            assert_eq!(asked.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [0, 3, 4]);
            assert_eq!(found.len(), 5);
            for ((found, sequence), &lengths) in
                found.iter().zip(sequences.iter()).zip(&case.lengths)
            {
                if sequence.queries.is_empty() || sequence.keys.is_empty() {
                    assert!(found.is_none());
                    continue;
                }
                let (top, (entropy, received)) = found.as_ref().expect("has weights");
                let operands = (
                    part(x.q(), sequence.queries.clone()),
                    part(x.k(), sequence.keys.clone()),
                    lse.slice(s![.., sequence.queries]).insert_axis(Axis(0)),
                );
                let alone = scoring.clone().with_mask(x.mask(lengths));
                let observer = (TopK::by_weight(3), (Entropy, Received));
                let expected = observe_alone(set, operands, &alone, &[], &observer).expect("valid");
                assert_eq!(entropy, expected.1.0);
                assert_eq!(received, expected.1.1);
                let last = (case.heads() - 1, lengths.0 - 1);
                let list = |top: &lookback_attention::observe::Heaviest| {
                    top.list(0, last.0, last.1).collect::<Vec<_>>()
                };
                assert_eq!(list(top), list(&expected.0));
            }
        }
    }
}

#[test]
fn what_an_observer_refuses_is_an_error() {
    let x = Operands::random(&Case::plain(&[(4, 4), (2, 2)]));
    let lse = ndarray::Array2::zeros((2, 6));
    let rows = lookback_attention::observe::Rows::new([3]);
    let found = observe_on(
        InstructionSet::best(),
        (x.q(), x.k(), lse.view()),
        &x.sequences(),
        &x.scoring(),
        |_, _| rows.clone(),
    );
    // The second sequence has no query 3.
    let rejected = found.expect_err("misuse");
    assert!(
        matches!(rejected, Error::RangeOutOfBounds { len: 2, .. }),
        "{rejected}"
    );
}
