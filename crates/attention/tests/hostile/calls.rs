//! The passes themselves.

use lookback_attention::backward::{self, Inputs, backward};
use lookback_attention::decode::{Cache, decode};
use lookback_attention::forward::forward;
use lookback_attention::weights::weights;
use lookback_attention::{Error, Mask, Scoring};
use ndarray::{Array2, Array4, ArrayView4, s};
use proptest::prelude::*;

use crate::common::hostile::{like, masks, repeated, sizes, values};

/// Shapes of q, k and v, a value for each, options, and how long their lists are.
#[derive(Debug, Clone)]
struct Call {
    q: [usize; 4],
    k: [usize; 4],
    v: [usize; 4],
    values: [f32; 3],
    mask: Mask,
    scale: Option<f32>,
    cap: Option<f32>,
    lists: [Option<usize>; 3],
    bias: Option<[usize; 4]>,
    page: u32,
}

prop_compose! {
    fn calls()(
        (b, h_kv, n, m, d_k, d_v) in (sizes(), sizes(), sizes(), sizes(), sizes(), sizes()),
    )(
        q in (like(b), prop_oneof![like(h_kv), like(h_kv.saturating_mul(2))], like(n), like(d_k)),
        k in (like(b), like(h_kv), like(m), like(d_k)),
        v in (like(b), like(h_kv), like(m), like(d_v)),
        values in [values(), values(), values()],
        mask in masks(),
        (scale, cap) in (prop::option::of(values()), prop::option::of(values())),
        lists in [
            prop::option::of(like(h_kv.min(64))),
            prop::option::of(like(h_kv.min(64))),
            prop::option::of(like(b.min(64))),
        ],
        bias in prop::option::of((like(b), like(h_kv), like(n), like(m)).prop_map(<[usize; 4]>::from)),
        page in prop::sample::select(vec![0, 1, 7, u32::MAX]),
    ) -> Call {
        let lists = lists.map(|list| list.map(|len| len.min(64)));
        Call { q: q.into(), k: k.into(), v: v.into(), values, mask, scale, cap, lists, bias, page }
    }
}

/// Every operation; what they answer does not matter.
fn attempt(call: &Call) -> Option<()> {
    let ones = call.values.map(|x| Array4::from_elem((1, 1, 1, 1), x));
    let [q, k, v]: [ArrayView4<f32>; 3] = [
        repeated(&ones[0], call.q)?,
        repeated(&ones[1], call.k)?,
        repeated(&ones[2], call.v)?,
    ];
    let lists = call
        .lists
        .map(|len| len.map(|len| vec![call.values[0]; len]));
    let lengths = lists[2]
        .as_ref()
        .map(|list| vec![call.page as usize; list.len()]);
    let mut scoring = Scoring::default().with_mask(call.mask.clone());
    if let Some(scale) = call.scale {
        scoring = scoring.with_scale(scale);
    }
    if let Some(cap) = call.cap {
        scoring = scoring.with_soft_cap(cap);
    }
    if let Some(slopes) = &lists[0] {
        scoring = scoring.with_alibi(slopes);
    }
    if let Some(sinks) = &lists[1] {
        scoring = scoring.with_sinks(sinks);
    }
    if let Some(lengths) = &lengths {
        scoring = scoring.with_key_lengths(lengths);
    }
    if let Some(bias) = call.bias {
        scoring = scoring.with_bias(repeated(&ones[0], bias)?);
    }

    let found = forward(q, k, v, &scoring);
    let _: Result<_, Error> = decode(q, &Cache::Contiguous { k, v }, &scoring);
    let table = Array2::from_elem((call.q[0].min(20), 2), call.page);
    let table = table.view();
    let _: Result<_, Error> = decode(q, &Cache::Paged { k, v, table }, &scoring);
    let Ok(found) = found else { return None };
    let inputs = Inputs {
        q,
        k,
        v,
        o: found.o.view(),
        lse: found.lse.view(),
        d_o: found.o.view(),
    };
    let _: Result<_, Error> = backward(&inputs, &backward::Options::default(), &scoring);
    let (q, k) = (q.slice(s![0, 0, .., ..]), k.slice(s![0, 0, .., ..]));
    let lse = found.lse.slice(s![0, 0, ..]);
    let (rows, cols) = (0..q.nrows(), call.page as usize..k.nrows());
    let _: Result<_, Error> = weights(q, k, lse, &Scoring::default(), rows, cols);
    Some(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(call in calls()) {
        let _ = attempt(&call);
    }
}

/// That the cases above are not all rejected.
#[test]
fn some_calls_are_answered() {
    let call = Call {
        q: [1, 2, 3, 4],
        k: [1, 2, 17, 4],
        v: [1, 2, 17, 5],
        values: [0.5; 3],
        mask: Mask::None,
        scale: None,
        cap: None,
        lists: [None; 3],
        bias: None,
        page: 0,
    };
    assert!(attempt(&call).is_some());
}
