//! Scores and masks that put the online softmax to the test.

use lookback_attention::forward::forward_on;
use lookback_attention::{InstructionSet, Mask, Scoring};
use ndarray::{Array4, s};

use crate::common::{Random, assert_agree, exact};

/// Scores that climb with the key make every tile raise the reference; those that fall never do.
#[test]
fn climbing_and_falling_scores() {
    let (n, m, d) = (40, 700, 16);
    let mut random = Random(3);
    let (mut q, mut k, v) = (
        random.plain([1, 1, n, d]),
        random.plain([1, 1, m, d]),
        random.plain([1, 1, m, d]),
    );
    q.slice_mut(s![.., .., .., 0]).fill(4.0);
    for slope in [0.5, -0.5, 3.0, 0.05] {
        k.slice_mut(s![.., .., .., 0])
            .indexed_iter_mut()
            .for_each(|((_, _, j), x)| *x = slope * j as f32);
        for mask in [
            Mask::None,
            Mask::Causal { offset: 600 },
            Mask::Window {
                window: 300,
                offset: 640,
            },
        ] {
            let scoring = Scoring::default().with_mask(mask.clone());
            let expected = exact(q.view(), k.view(), v.view(), &scoring);
            for set in InstructionSet::available() {
                let found = forward_on(set, q.view(), k.view(), v.view(), &scoring).expect("valid");
                // Scores in the thousands have a rounding error of their own.
                let tolerance = 1e-5 * f64::from(slope.abs()) * m as f64;
                assert_agree(set.name(), &found.o, &expected.o, tolerance);
            }
        }
    }
}

/// Rows that see no key, among rows that do.
#[test]
fn rows_without_a_key() {
    let mut random = Random(5);
    let (q, k, v) = (
        random.plain([1, 2, 30, 8]),
        random.plain([1, 1, 20, 8]),
        random.plain([1, 1, 20, 5]),
    );
    let sinks = [0.5, f32::NEG_INFINITY];
    for mask in [
        Mask::StrictlyBefore { offset: 0 },
        Mask::Causal { offset: -9 },
        Mask::Causal { offset: -900 },
        Mask::Window {
            window: 3,
            offset: 4,
        },
        Mask::Window {
            window: 3,
            offset: 400,
        },
    ] {
        for sinks in [None, Some(&sinks[..])] {
            let mut scoring = Scoring::default().with_mask(mask.clone());
            scoring.sinks = sinks.map(Into::into);
            for set in InstructionSet::available() {
                let found = forward_on(set, q.view(), k.view(), v.view(), &scoring).expect("valid");
                for i in (0..30).filter(|&i| mask.visible(i, 20).is_empty()) {
                    for h in 0..2 {
                        assert!(
                            found.o.slice(s![0, h, i, ..]).iter().all(|&o| o == 0.0),
                            "{} {mask:?} {i}",
                            set.name()
                        );
                        let expected = sinks.map_or(f32::NEG_INFINITY, |s| s[h]);
                        assert_eq!(
                            found.lse[[0, h, i]],
                            expected,
                            "{} {mask:?} {i}",
                            set.name()
                        );
                    }
                }
            }
        }
    }
}

/// A bias of −∞ hides a key as the mask does, and hides a whole row as well.
#[test]
fn bias_of_minus_infinity() {
    let mut random = Random(6);
    let (q, k, v) = (
        random.plain([1, 1, 20, 8]),
        random.plain([1, 1, 300, 8]),
        random.plain([1, 1, 300, 8]),
    );
    let bias = Array4::from_shape_fn((1, 1, 20, 300), |(_, _, i, j)| {
        if i == 4 || j % 3 == 0 || (i == 5 && j < 280) {
            f32::NEG_INFINITY
        } else {
            0.0
        }
    });
    let scoring = Scoring::default()
        .with_mask(Mask::None)
        .with_bias(bias.view());
    let expected = exact(q.view(), k.view(), v.view(), &scoring);
    for set in InstructionSet::available() {
        let found = forward_on(set, q.view(), k.view(), v.view(), &scoring).expect("valid");
        assert_eq!(found.lse[[0, 0, 4]], f32::NEG_INFINITY);
        assert_agree(set.name(), &found.o, &expected.o, 2e-5);
    }
}
