//! What observers find of NaN and infinities is what it would be of the reference's weights.

use lookback_attention::{InstructionSet, Mask};

use crate::asked::{Asked, Truth};
use crate::common::Random;
use crate::common::not_finite::{Dims, each};

#[test]
fn in_each_operand_at_every_kind_of_place() {
    let (n, m) = (40, 300);
    let dims = Dims { h: 2, n, m, d: 20 };
    let places = [(0, 0), (17, 5), (39, 16), (270, 19)];
    let window = Mask::Window {
        window: 7,
        offset: 3,
    };
    let masks = [Mask::None, Mask::causal_at_end(n, m), window];
    each(dims, &places, &masks, |call| {
        let lse = call.exact.lse.mapv(|lse| lse as f32);
        let operands = (call.q, call.k, lse.view());
        let truth = Truth {
            weights: &call.exact.weights,
            off: 2e-5,
        };
        for k in [5, 40] {
            let asked = Asked::new([dims.h, n, m], k, call.scoring.mask.clone(), &mut Random(1));
            for set in InstructionSet::available() {
                let found = asked.check(set, operands, &call.scoring, &truth);
                found.unwrap_or_else(|error| panic!("{} on {}: {error}", call.place, set.name()));
            }
        }
    });
}
