//! Mean distances against f64 sums of the same weights: how far a key lies from the ends of a tile must cost no digits.

use lookback_attention::forward::forward;
use lookback_attention::observe::{DistanceMass, Rows, observe_on};
use lookback_attention::{InstructionSet, Mask, Scoring};
use ndarray::s;

use crate::common::Random;

/// Tokens: several tiles of keys, the last not whole.
const N: usize = 700;

/// The largest error of a mean distance, relative to it or to 1 where it is less.
fn worst(set: InstructionSet, scoring: &Scoring) -> f64 {
    let mut random = Random(21);
    let [q, k] = [(); 2].map(|()| random.plain([1, 1, N, 16]));
    let lse = forward(q.view(), k.view(), k.view(), scoring);
    let lse = lse.expect("valid").lse;
    let observer = (Rows::new((0..N).collect::<Vec<_>>()), DistanceMass);
    let call = (q.view(), k.view(), lse.view());
    let (rows, distances) = observe_on(set, call, scoring, &[], &observer).expect("valid");
    let error = |i: usize| {
        let weights = rows.slice(s![0, 0, i, ..]).mapv(f64::from);
        let terms = weights.iter().enumerate();
        let mean = terms.map(|(j, w)| w * i.abs_diff(j) as f64).sum::<f64>() / weights.sum();
        (f64::from(distances.mean[[0, 0, i]]) - mean).abs() / mean.max(1.0)
    };
    (0..N).map(error).fold(0.0, f64::max)
}

#[test]
fn near_keys_are_counted_as_exactly_as_far_ones() {
    // From weights that reach over all keys to some that reach a few.
    for slope in [0.0, 0.05, 0.5, 2.0] {
        let slopes = [slope];
        for mask in [Mask::causal_at_end(N, N), Mask::None] {
            let scoring = Scoring::default()
                .with_mask(mask.clone())
                .with_alibi(&slopes);
            for set in InstructionSet::available() {
                let worst = worst(set, &scoring);
                let name = set.name();
                assert!(worst < 2e-6, "{name}, slope {slope}, {mask:?}: {worst}");
            }
        }
    }
}
