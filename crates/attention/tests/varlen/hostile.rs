//! No call of the safe interface panics: whatever the shapes, lengths, values and options, there is an answer or an error.

use lookback_attention::observe::{Entropy, Received};
use lookback_attention::varlen::{Inputs, Sequences, backward, forward, observe};
use lookback_attention::{Mask, Scoring};
use ndarray::{Array3, ArrayView3};
use proptest::prelude::*;

use crate::common::hostile::{masks, near, sizes, values};

/// Mostly cumulative lengths that end at `tokens`, sometimes any numbers.
fn cumulative(tokens: usize, sequences: usize) -> impl Strategy<Value = Vec<usize>> {
    let cuts = prop::collection::vec(0..=tokens, sequences);
    let good = cuts.prop_map(move |mut cuts| {
        cuts.sort_unstable();
        [&[0], &cuts[..], &[tokens]].concat()
    });
    prop_oneof![19 => good, 1 => prop::collection::vec(sizes(), 0..5)]
}

#[derive(Debug, Clone)]
struct Call {
    q: [usize; 3],
    k: [usize; 3],
    v: [usize; 3],
    cu_seqlens: [Vec<usize>; 2],
    at_end: bool,
    values: [f32; 3],
    mask: Mask,
    scale: Option<f32>,
    cap: Option<f32>,
    lists: [Option<usize>; 2],
}

prop_compose! {
    fn calls()(
        (h_kv, n, m, d_k, d_v) in (sizes(), sizes(), sizes(), sizes(), sizes()),
        sequences in 0usize..5,
    )(
        q in (prop_oneof![near(h_kv), near(h_kv.saturating_mul(2))], near(n), near(d_k)),
        k in (near(h_kv), near(m), near(d_k)),
        v in (near(h_kv), near(m), near(d_v)),
        cu_seqlens in (cumulative(n, sequences), cumulative(m, sequences)),
        at_end in any::<bool>(),
        values in [values(), values(), values()],
        mask in masks(),
        (scale, cap) in (prop::option::of(values()), prop::option::of(values())),
        lists in [prop::option::of(near(h_kv.min(64))), prop::option::of(near(h_kv.min(64)))],
    ) -> Call {
        let lists = lists.map(|list| list.map(|len| len.min(64)));
        Call {
            q: q.into(), k: k.into(), v: v.into(), cu_seqlens: cu_seqlens.into(), at_end, values, mask, scale, cap, lists,
        }
    }
}

/// Every operation; what they answer does not matter. Nothing where the call is rejected.
fn attempt(call: &Call) -> Option<()> {
    let ones = call.values.map(|x| Array3::from_elem((1, 1, 1), x));
    let [q, k, v]: [ArrayView3<f32>; 3] = [
        ones[0].broadcast(call.q)?,
        ones[1].broadcast(call.k)?,
        ones[2].broadcast(call.v)?,
    ];
    let lists = call
        .lists
        .map(|len| len.map(|len| vec![call.values[0]; len]));
    let mut scoring = Scoring::default().with_mask(call.mask.clone());
    (scoring.scale, scoring.soft_cap) = (call.scale, call.cap);
    scoring.alibi = lists[0].as_deref().map(Into::into);
    scoring.sinks = lists[1].as_deref().map(Into::into);
    let [of_q, of_k] = &call.cu_seqlens;
    let sequences = match call.at_end {
        true => Sequences::at_end(of_q, of_k),
        false => Sequences::at_start(of_q, of_k),
    }
    .ok()?;
    for sequence in sequences.iter() {
        let _ = sequence.scoring(&scoring);
    }
    let found = forward(q, k, v, &sequences, &scoring).ok()?;
    let (o, lse) = (found.o.view(), found.lse.view());
    let inputs = Inputs {
        q,
        k,
        v,
        o,
        lse,
        d_o: o,
        d_lse: Some(lse),
    };
    let _ = backward(&inputs, &sequences, &scoring);
    let _ = observe(q, k, lse, &sequences, &scoring, |_, _| (Entropy, Received));
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
        q: [2, 9, 4],
        k: [1, 17, 4],
        v: [1, 17, 5],
        cu_seqlens: [vec![0, 3, 3, 9], vec![0, 0, 10, 17]],
        at_end: true,
        values: [0.5; 3],
        mask: Mask::default(),
        scale: None,
        cap: None,
        lists: [None; 2],
    };
    assert!(attempt(&call).is_some());
}
