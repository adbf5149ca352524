//! Threads and strides.

use lookback_attention::varlen::{
    GradientsMut, Inputs, backward_into_on, forward_into_on, forward_on,
};
use lookback_attention::{InstructionSet, Mask};
use ndarray::{Array1, Array2, Array3, Axis, s};

use crate::backward::derive;
use crate::cases::{Case, Operands};

/// Many short sequences and some long ones.
fn lengths() -> Vec<(usize, usize)> {
    let short = (0..40).map(|i| (i * 7 % 30, i * 11 % 50));
    short.chain([(400, 900), (1, 1), (700, 650)]).collect()
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    for mask in [Mask::None, Mask::default()] {
        let case = Case {
            mask: mask.clone(),
            kv_heads: 2,
            d_k: 8,
            d_v: 5,
            sinks: true,
            d_lse: true,
            ..Case::plain(&lengths())
        };
        let x = Operands::random(&case);
        for set in InstructionSet::available() {
            let on = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                pool.build().expect("a pool").install(|| derive(set, &x))
            };
            let one = on(1);
            assert!(one == on(2) && one == on(3), "{mask:?} on {}", set.name());
        }
    }
}

/// Operands with gaps, and with heads or tokens outermost, give what they give in standard layout; so do outputs, whose
/// values are overwritten.
#[test]
fn strides_do_not_matter() {
    for (order, gap) in [([0, 2, 1, 3], 0), ([0, 3, 1, 2], 0), ([0, 1, 2, 3], 1)] {
        let case = Case {
            kv_heads: 2,
            d_k: 18,
            d_v: 33,
            sinks: true,
            order,
            gap,
            ..Case::plain(&[(20, 20), (1, 5), (0, 3), (9, 0), (40, 41)])
        };
        let x = Operands::random(&case);
        let (sequences, scoring) = (x.sequences(), x.scoring());
        let (h, n, m) = (case.heads(), 70, 69);
        let [q, k, v, d_o] = [x.q(), x.k(), x.v(), x.d_o()].map(|x| x.to_owned());
        for set in InstructionSet::available() {
            let plain = (k.view(), v.view());
            let expected = forward_on(set, q.view(), plain, &sequences, &scoring).expect("valid");

            // Tokens first, every other column of what must be overwritten.
            let room = |h, tokens, d: usize| Array3::from_elem((tokens, h, 2 * d), f32::NAN);
            let (mut o, mut lse) = (room(h, n, case.d_v), Array2::from_elem((n, h), f32::NAN));
            let mut o = o.slice_mut(s![.., .., ..;2]).permuted_axes([1, 0, 2]);
            let out = (o.view_mut(), lse.view_mut().reversed_axes());
            forward_into_on(set, x.q(), (x.k(), x.v()), &sequences, &scoring, out).expect("valid");
            assert!(o == expected.o && lse.t() == expected.lse, "{}", set.name());

            let (mut dq, mut dk) = (room(h, n, case.d_k), room(2, m, case.d_k));
            let (mut dv, mut d_sinks) = (room(2, m, case.d_v), Array1::from_elem(2 * h, f32::NAN));
            let [mut dq, mut dk, mut dv] = [&mut dq, &mut dk, &mut dv]
                .map(|x| x.slice_mut(s![.., .., ..;2]).permuted_axes([1, 0, 2]));
            let mut d_sinks = d_sinks.slice_mut(s![..;2]);
            let inputs = Inputs {
                q: x.q(),
                k: x.k(),
                v: x.v(),
                o: o.view(),
                lse: lse.t(),
                d_o: x.d_o(),
                d_lse: None,
            };
            let gradients = GradientsMut {
                dq: dq.view_mut(),
                dk: dk.view_mut(),
                dv: dv.view_mut(),
                d_sinks: Some(d_sinks.view_mut()),
            };
            backward_into_on(set, &inputs, &sequences, &scoring, gradients).expect("valid");
            let inputs = Inputs {
                q: q.view(),
                k: k.view(),
                v: v.view(),
                d_o: d_o.view(),
                ..inputs
            };
            let expected =
                lookback_attention::varlen::backward_on(set, &inputs, &sequences, &scoring);
            let expected = expected.expect("valid");
            assert!(dq == expected.dq && dk == expected.dk && dv == expected.dv);
            assert_eq!(Some(d_sinks.to_owned()), expected.d_sinks);
            assert_eq!(dk.len_of(Axis(1)), m);
        }
    }
}
