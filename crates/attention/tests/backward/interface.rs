//! Strides, threads, errors.

use lookback_attention::backward::{
    Gradients, GradientsMut, Inputs, Options, backward, backward_into, backward_on,
};
use lookback_attention::forward::forward;
use lookback_attention::{Error, InstructionSet, Mask, Scoring};
use ndarray::{Array1, Array3, Array4, s};

use crate::cases::{Choice, Dims, Operands, choices, masks};
use crate::common::Random;
use crate::fused::fused;

const DIMS: Dims = Dims {
    b: 2,
    h: 4,
    h_kv: 2,
    n: 150,
    m: 203,
    d_k: 9,
    d_v: 17,
};

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let long = Dims {
        b: 1,
        h: 2,
        h_kv: 1,
        n: 900,
        m: 1200,
        d_k: 4,
        d_v: 4,
    };
    let mut cases: Vec<(Dims, Choice)> = choices(DIMS)
        .into_iter()
        .map(|choice| (DIMS, choice))
        .collect();
    cases.extend(masks(900, 1200).into_iter().map(|mask| {
        (
            long,
            Choice {
                mask,
                ..Choice::default()
            },
        )
    }));
    for set in InstructionSet::available() {
        for (dims, choice) in &cases {
            let x = Operands::random(*dims, choice, 3);
            let on = |threads| {
                let pool = rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()
                    .expect("a pool");
                pool.install(|| fused(set, &x))
            };
            let one = on(1);
            assert!(one == on(2) && one == on(3), "{choice:?} on {}", set.name());
        }
    }
}

/// `backward` on operands in standard layout.
fn plain(x: &[Array4<f32>; 4], scoring: &Scoring) -> Gradients {
    let out = forward(x[0].view(), x[1].view(), x[2].view(), scoring).expect("valid");
    let inputs = Inputs {
        q: x[0].view(),
        k: x[1].view(),
        v: x[2].view(),
        o: out.o.view(),
        lse: out.lse.view(),
        d_o: x[3].view(),
    };
    backward(&inputs, &Options::default(), scoring).expect("valid")
}

#[test]
fn strides_of_operands_and_gradients_do_not_matter() {
    let (b, h, h_kv, n, m, d_k, d_v) = (2, 4, 2, 35, 41, 18, 33);
    let mut random = Random(8);
    for (order, gap) in [
        ([0, 2, 1, 3], 0),
        ([3, 1, 0, 2], 0),
        ([0, 1, 2, 3], 1),
        ([1, 0, 3, 2], 1),
    ] {
        let mut array = |dim| random.array(dim, order, gap);
        let (q, k) = (array([b, h, n, d_k]), array([b, h_kv, m, d_k]));
        let (v, d_o) = (array([b, h_kv, m, d_v]), array([b, h, n, d_v]));
        let bias = array([1, h, n, m]);
        let scoring = Scoring::default()
            .with_mask(Mask::causal_at_end(n, m))
            .with_bias(bias.view());
        let expected = plain(&[&q, &k, &v, &d_o].map(|x| x.view().to_owned()), &scoring);

        let out = forward(q.view(), k.view(), v.view(), &scoring).expect("valid");
        let inputs = Inputs {
            q: q.view(),
            k: k.view(),
            v: v.view(),
            o: out.o.view(),
            lse: out.lse.view(),
            d_o: d_o.view(),
        };
        // Every other column of arrays with their axes the other way round, full of what must be overwritten.
        let room = |b, h, n, d: usize| Array4::from_elem((n, 2 * d, h, b), f32::NAN);
        let (mut dq, mut dk) = (room(b, h, n, d_k), room(b, h_kv, m, d_k));
        let (mut dv, mut d_bias) = (room(b, h_kv, m, d_v), room(1, h, n, m));
        let gradients = GradientsMut {
            dq: dq
                .slice_mut(s![.., ..;2, .., ..])
                .permuted_axes([3, 2, 0, 1]),
            dk: dk
                .slice_mut(s![.., ..;2, .., ..])
                .permuted_axes([3, 2, 0, 1]),
            dv: dv
                .slice_mut(s![.., ..;2, .., ..])
                .permuted_axes([3, 2, 0, 1]),
            d_bias: Some(
                d_bias
                    .slice_mut(s![.., ..;2, .., ..])
                    .permuted_axes([3, 2, 0, 1]),
            ),
            d_sinks: None,
        };
        backward_into(&inputs, &Options::default(), &scoring, gradients).expect("valid");
        let back = |x: &Array4<f32>| {
            x.slice(s![.., ..;2, .., ..])
                .permuted_axes([3, 2, 0, 1])
                .to_owned()
        };
        assert_eq!(back(&dq), expected.dq, "{order:?} gap {gap}");
        assert_eq!(back(&dk), expected.dk, "{order:?} gap {gap}");
        assert_eq!(back(&dv), expected.dv, "{order:?} gap {gap}");
        assert_eq!(Some(back(&d_bias)), expected.d_bias, "{order:?} gap {gap}");
    }
}

#[test]
fn what_nothing_adds_to_is_overwritten_with_0() {
    let x = Array4::<f32>::ones((1, 2, 30, 4));
    let lse = Array3::<f32>::zeros((1, 2, 30));
    let inputs = Inputs {
        q: x.view(),
        k: x.view(),
        v: x.view(),
        o: x.view(),
        lse: lse.view(),
        d_o: x.view(),
    };
    for scoring in [
        Scoring::default().with_key_lengths(&[0]),
        Scoring::default().with_mask(Mask::Causal { offset: -100 }),
        Scoring::default().with_mask(Mask::Window {
            window: 2,
            offset: 100,
        }),
    ] {
        let full = || Array4::from_elem(x.raw_dim(), f32::NAN);
        let mut gradients = Gradients {
            dq: full(),
            dk: full(),
            dv: full(),
            d_bias: None,
            d_sinks: None,
        };
        backward_into(&inputs, &Options::default(), &scoring, gradients.view_mut()).expect("valid");
        for gradient in [gradients.dq, gradients.dk, gradients.dv] {
            assert!(gradient.iter().all(|&x| x == 0.0), "{scoring:?}");
        }
    }
}

#[test]
fn a_constant_bias_has_no_gradient() {
    let x = Array4::<f32>::ones((1, 1, 3, 2));
    let lse = Array3::<f32>::zeros((1, 1, 3));
    let bias = Array4::<f32>::zeros((1, 1, 3, 3));
    let scoring = Scoring::default().with_bias(bias.view());
    let inputs = Inputs {
        q: x.view(),
        k: x.view(),
        v: x.view(),
        o: x.view(),
        lse: lse.view(),
        d_o: x.view(),
    };
    let gradients =
        backward(&inputs, &Options::default().with_constant_bias(), &scoring).expect("valid");
    assert_eq!(gradients.d_bias, None);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let array = |n, d| Array4::<f32>::zeros((1, 2, n, d));
    let (q, k, v, o) = (array(3, 4), array(5, 4), array(5, 6), array(3, 6));
    let lse = Array3::<f32>::zeros((1, 2, 3));
    let inputs = Inputs {
        q: q.view(),
        k: k.view(),
        v: v.view(),
        o: o.view(),
        lse: lse.view(),
        d_o: o.view(),
    };
    let rejected = |inputs: &Inputs, options: &Options, scoring: &Scoring| {
        backward(inputs, options, scoring)
            .expect_err("does not fit")
            .to_string()
    };
    let (options, scoring) = (Options::default(), Scoring::default());
    assert!(backward(&inputs, &options, &scoring).is_ok());

    let wrong = array(3, 5);
    let with = Inputs {
        d_o: wrong.view(),
        ..inputs.clone()
    };
    assert_eq!(
        rejected(&with, &options, &scoring),
        "d_v is 5 in d_o but 6 in the output of q, k and v; they must be equal"
    );
    let with = Inputs {
        o: wrong.view(),
        ..inputs.clone()
    };
    assert!(rejected(&with, &options, &scoring).contains("d_v is 5 in o "));
    let short = Array3::<f32>::zeros((1, 2, 2));
    let with = Inputs {
        lse: short.view(),
        ..inputs.clone()
    };
    assert!(rejected(&with, &options, &scoring).contains("N is 2 in lse "));
    let with_d_lse = Options::default().with_d_lse(short.view());
    assert!(rejected(&inputs, &with_d_lse, &scoring).contains("N is 2 in d_lse "));
    let with = Inputs {
        k: v.view(),
        ..inputs.clone()
    };
    assert!(rejected(&with, &options, &scoring).contains("d_k is 4 in q but 6 in k"));
    assert!(
        rejected(&inputs, &options, &Scoring::default().with_scale(f32::NAN)).contains("scale")
    );
    assert!(rejected(&inputs, &options, &Scoring::default().with_sinks(&[0.0])).contains("sinks"));

    let mut gradients = Gradients {
        dq: array(3, 4),
        dk: array(5, 4),
        dv: array(5, 6),
        d_bias: Some(array(3, 5)),
        d_sinks: None,
    };
    let missing = backward_into(&inputs, &options, &scoring, gradients.view_mut());
    assert_eq!(
        missing,
        Err(Error::NothingToDerive {
            gradient: "d_bias",
            option: "bias"
        })
    );
    gradients.d_bias = None;
    gradients.d_sinks = Some(Array1::zeros(2));
    let missing = backward_into(&inputs, &options, &scoring, gradients.view_mut());
    assert_eq!(
        missing,
        Err(Error::NothingToDerive {
            gradient: "d_sinks",
            option: "sinks"
        })
    );
    gradients.d_sinks = None;
    gradients.dv = array(5, 4);
    let wrong = backward_into(&inputs, &options, &scoring, gradients.view_mut());
    assert!(
        wrong
            .expect_err("d_v differs")
            .to_string()
            .contains("d_v is 4 in dv but 6 in v")
    );
    assert!(backward_on(InstructionSet::best(), &inputs, &options, &scoring).is_ok());
}
