//! Every misuse is a typed error that names what is wrong.

use lookback_attention::varlen::{
    GradientsMut, Inputs, Sequences, backward, backward_into, forward, forward_into, observe,
};
use lookback_attention::{Error, Mask, Scoring, observe::Entropy};
use ndarray::{Array1, Array2, Array3, Array4};

fn ones(heads: usize, tokens: usize, d: usize) -> Array3<f32> {
    Array3::ones((heads, tokens, d))
}

#[test]
fn cumulative_lengths() {
    let message = |found: Result<Sequences, Error>| found.expect_err("misuse").to_string();
    assert_eq!(
        message(Sequences::new(&[])),
        "B + 1 of the queries' cumulative lengths is 0; it must be at least 1"
    );
    assert_eq!(
        message(Sequences::new(&[2, 5])),
        "the queries' cumulative lengths begin with 2; they must begin with 0, where the first sequence does"
    );
    assert_eq!(
        message(Sequences::at_end(&[0, 5], &[1, 5])),
        "the keys' cumulative lengths begin with 1; they must begin with 0, where the first sequence does"
    );
    assert_eq!(
        message(Sequences::at_start(&[0, 4, 4, 9, 7], &[0, 1, 2, 3, 4])),
        "the queries' cumulative lengths fall from 9 to 7 at entry 4; they must never fall"
    );
    assert_eq!(
        message(Sequences::at_end(&[0, 4], &[0, usize::MAX, 3])),
        "the keys' cumulative lengths fall from 18446744073709551615 to 3 at entry 2; they must never fall"
    );
    assert_eq!(
        message(Sequences::at_end(&[0, 4, 5], &[0, 4])),
        "B + 1 is 3 in the queries' cumulative lengths but 2 in the keys' cumulative lengths; they must be equal"
    );
}

/// The error of [`forward`], which those of the other operations are too.
fn of_call(
    [q, k, v]: [&Array3<f32>; 3],
    sequences: Result<Sequences, Error>,
    scoring: &Scoring,
) -> String {
    let sequences = sequences.expect("valid");
    let found = forward(q.view(), k.view(), v.view(), &sequences, scoring).expect_err("misuse");
    let (h, n, _) = q.dim();
    let (o, lse) = (ones(h, n, v.dim().2), Array2::ones((h, n)));
    let inputs = Inputs {
        q: q.view(),
        k: k.view(),
        v: v.view(),
        o: o.view(),
        lse: lse.view(),
        d_o: o.view(),
        d_lse: None,
    };
    let found = found.to_string();
    let derived = backward(&inputs, &sequences, scoring).expect_err("misuse");
    assert_eq!(derived.to_string(), found);
    if k.dim() == v.dim() {
        let observed = observe(
            q.view(),
            k.view(),
            lse.view(),
            &sequences,
            scoring,
            |_, _| Entropy,
        );
        assert_eq!(observed.expect_err("misuse").to_string(), found);
    }
    found
}

#[test]
fn operands() {
    let scoring = Scoring::default();
    let five = || Sequences::new(&[0, 2, 5]);
    let x = &ones(2, 5, 3);
    for (operands, message) in [
        (
            [x, &ones(2, 5, 4), x],
            "d_k is 3 in q but 4 in k; they must be equal",
        ),
        (
            [x, &ones(1, 5, 3), x],
            "H_kv is 1 in k but 2 in v; they must be equal",
        ),
        (
            [x, x, &ones(2, 0, 3)],
            "M is 5 in k but 0 in v; they must be equal",
        ),
        (
            [&ones(3, 5, 3), x, x],
            "3 query heads cannot be grouped over 2 key/value heads: H_kv must divide H",
        ),
        ([&ones(0, 5, 3), x, x], "H of q is 0; it must be at least 1"),
        (
            [&ones(2, 5, 0), &ones(2, 5, 0), x],
            "d_k of q is 0; it must be at least 1",
        ),
        (
            [x, x, &ones(2, 5, 0)],
            "d_v of v is 0; it must be at least 1",
        ),
        (
            [&ones(2, 6, 3), x, x],
            "the queries' cumulative lengths end with 5, but there are 6 tokens; they must end where the tokens do: slice an array that has more",
        ),
        (
            [x, &ones(2, 4, 3), &ones(2, 4, 3)],
            "the keys' cumulative lengths end with 5, but there are 4 tokens; they must end where the tokens do: slice an array that has more",
        ),
        (
            [&ones(2, 0, 3), x, x],
            "the queries' cumulative lengths end with 5, but there are 0 tokens; they must end where the tokens do: slice an array that has more",
        ),
    ] {
        assert_eq!(of_call(operands, five(), &scoring), message);
    }
    let huge = || Sequences::new(&[0, usize::MAX]);
    assert_eq!(
        of_call([x, x, x], huge(), &scoring),
        "the queries' cumulative lengths end with 18446744073709551615, but there are 5 tokens; they must end where the tokens do: slice an array that has more"
    );
}

#[test]
fn options() {
    let x = &ones(2, 5, 3);
    let bias = Array4::zeros((1, 1, 1, 1));
    let base = Scoring::default;
    for (scoring, message) in [
        (
            base().with_bias(bias.view()),
            "a bias cannot be given for packed sequences; compute each sequence with its own by a call for it alone",
        ),
        (
            base().with_key_lengths(&[1, 2]),
            "key lengths cannot be given for packed sequences; give each sequence only the keys that are real",
        ),
        (
            base().with_scale(f32::NAN),
            "the scale is NaN; it must be finite",
        ),
        (
            base().with_mask(Mask::Window {
                window: 0,
                offset: 0,
            }),
            "window of the mask is 0; it must be at least 1",
        ),
        (
            base().with_soft_cap(-1.0),
            "soft_cap is -1; it must be finite and above 0",
        ),
        (
            base().with_alibi(&[0.5]),
            "alibi has 1 entries along H; 2 are needed",
        ),
        (
            base().with_sinks(&[0.5, f32::NAN]),
            "sinks is NaN; each logit must be finite or -inf",
        ),
    ] {
        let sequences = Sequences::new(&[0, 2, 5]);
        assert_eq!(of_call([x, x, x], sequences, &scoring), message);
    }
}

#[test]
fn outputs() {
    let (x, sequences) = (ones(2, 5, 3), Sequences::new(&[0, 2, 5]).expect("valid"));
    let run = |(h, n, d): (usize, usize, usize), of_lse: (usize, usize)| {
        let (mut o, mut lse) = (ones(h, n, d), Array2::ones(of_lse));
        let out = (o.view_mut(), lse.view_mut());
        forward_into(
            x.view(),
            (x.view(), x.view()),
            &sequences,
            &Scoring::default(),
            out,
        )
        .map_err(|error| error.to_string())
    };
    assert_eq!(run((2, 5, 3), (2, 5)), Ok(()));
    let expected = "in the output of q, k and v; they must be equal";
    assert_eq!(
        run((1, 5, 3), (2, 5)),
        Err(format!("H is 1 in o but 2 {expected}"))
    );
    assert_eq!(
        run((2, 4, 3), (2, 5)),
        Err(format!("N is 4 in o but 5 {expected}"))
    );
    assert_eq!(
        run((2, 5, 2), (2, 5)),
        Err(format!("d_v is 2 in o but 3 {expected}"))
    );
    assert_eq!(
        run((2, 5, 3), (2, 6)),
        Err(format!("N is 6 in lse but 5 {expected}"))
    );
}

#[test]
fn gradients() {
    let (x, sequences) = (ones(2, 5, 3), Sequences::new(&[0, 2, 5]).expect("valid"));
    let lse = Array2::ones((2, 5));
    let inputs = Inputs {
        q: x.view(),
        k: x.view(),
        v: x.view(),
        o: x.view(),
        lse: lse.view(),
        d_o: x.view(),
        d_lse: None,
    };
    let run = |tokens: [usize; 3], sinks: Option<usize>, scoring: &Scoring| {
        let [mut dq, mut dk, mut dv] = tokens.map(|tokens| ones(2, tokens, 3));
        let mut d_sinks = sinks.map(Array1::<f32>::ones);
        let gradients = GradientsMut {
            dq: dq.view_mut(),
            dk: dk.view_mut(),
            dv: dv.view_mut(),
            d_sinks: d_sinks.as_mut().map(|d_sinks| d_sinks.view_mut()),
        };
        backward_into(&inputs, &sequences, scoring, gradients).map_err(|error| error.to_string())
    };
    let (plain, sinks) = (Scoring::default(), Scoring::default().with_sinks(&[0.5; 2]));
    assert_eq!(run([5, 5, 5], None, &plain), Ok(()));
    assert_eq!(run([5, 5, 5], None, &sinks), Ok(()));
    assert_eq!(run([5, 5, 5], Some(2), &sinks), Ok(()));
    for (tokens, found) in [
        ([4, 5, 5], "N is 4 in dq but 5 in q; they must be equal"),
        ([5, 6, 5], "M is 6 in dk but 5 in k; they must be equal"),
        ([5, 5, 0], "M is 0 in dv but 5 in v; they must be equal"),
    ] {
        assert_eq!(run(tokens, None, &plain), Err(found.to_owned()));
    }
    assert_eq!(
        run([5, 5, 5], Some(2), &plain),
        Err("d_sinks is given to write to, but the scoring has no sinks; give None".into())
    );
    assert_eq!(
        run([5, 5, 5], Some(3), &sinks),
        Err("H is 3 in d_sinks but 2 in sinks; they must be equal".into())
    );
    let short = ones(2, 4, 3);
    for (inputs, message) in [
        (
            Inputs {
                o: short.view(),
                ..inputs.clone()
            },
            "N is 4 in o but 5 in the output of q, k and v; they must be equal",
        ),
        (
            Inputs {
                d_o: short.view(),
                ..inputs.clone()
            },
            "N is 4 in d_o but 5 in the output of q, k and v; they must be equal",
        ),
    ] {
        let found = backward(&inputs, &sequences, &plain).expect_err(message);
        assert_eq!(found.to_string(), message);
    }
}
