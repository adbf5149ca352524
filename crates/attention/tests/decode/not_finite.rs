//! NaN and infinities do what they do in the reference, and no more.

use lookback_attention::decode::{Cache, decode_on};
use lookback_attention::{InstructionSet, Mask};

use crate::common::assert_agree;
use crate::common::not_finite::{Dims, each};

#[test]
fn in_each_operand_at_every_kind_of_place() {
    let (n, m) = (3, 300);
    let dims = Dims { h: 2, n, m, d: 20 };
    let places = [(0, 0), (31, 19), (256, 5), (298, 16), (299, 0)];
    let window = Mask::Window {
        window: 7,
        offset: 29,
    };
    each(
        dims,
        &places,
        &[Mask::None, Mask::causal_at_end(n, m), window],
        |call| {
            let cache = Cache::Contiguous {
                k: call.k,
                v: call.v,
            };
            for set in InstructionSet::available() {
                let found = decode_on(set, call.q, &cache, &call.scoring).expect("valid");
                let what = |name| format!("{name} on {}, {}", set.name(), call.place);
                assert_agree(&what("o"), &found.o, &call.exact.o, 2e-5);
                assert_agree(&what("lse"), &found.lse, &call.exact.lse, 1e-5);
            }
        },
    );
}
