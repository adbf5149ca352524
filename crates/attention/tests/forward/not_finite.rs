//! NaN and infinities do what they do in the reference, and no more.

use lookback_attention::forward::forward_on;
use lookback_attention::weights::weights_on;
use lookback_attention::{InstructionSet, Mask};
use ndarray::{Axis, s};

use crate::common::assert_agree;
use crate::common::not_finite::{Dims, each};

#[test]
fn in_each_operand_at_every_kind_of_place() {
    let (n, m) = (40, 300);
    let dims = Dims { h: 1, n, m, d: 20 };
    let places = [(0, 0), (3, 19), (17, 5), (39, 16)];
    let window = Mask::Window {
        window: 7,
        offset: 3,
    };
    each(
        dims,
        &places,
        &[Mask::None, Mask::default(), window],
        |call| {
            for set in InstructionSet::available() {
                let found = forward_on(set, call.q, call.k, call.v, &call.scoring).expect("valid");
                let what = |name| format!("{name} on {}, {}", set.name(), call.place);
                assert_agree(&what("o"), &found.o, &call.exact.o, 2e-5);
                assert_agree(&what("lse"), &found.lse, &call.exact.lse, 1e-5);
                let head = (
                    call.q.slice(s![0, 0, .., ..]),
                    call.k.slice(s![0, 0, .., ..]),
                    found.lse.slice(s![0, 0, ..]),
                );
                let w = weights_on(set, head, &call.scoring, 0..n, 0..m).expect("valid");
                let w = w.insert_axis(Axis(0)).insert_axis(Axis(0));
                assert_agree(&what("weights"), &w, &call.exact.weights, 1e-5);
            }
        },
    );
}
