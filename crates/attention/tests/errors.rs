//! Every misuse is a typed error that names what is wrong.

mod common;

use common::Random;
use lookback_attention::forward::{forward, forward_into};
use lookback_attention::reference;
use lookback_attention::weights::weights;
use lookback_attention::{Error, Mask, Scoring};
use ndarray::{Array1, Array2, Array3, Array4};

/// The error of a call with these dimensions.
fn of_shapes(q: [usize; 4], k: [usize; 4], v: [usize; 4]) -> String {
    let (q, k, v) = (
        Array4::<f32>::zeros(q),
        Array4::<f32>::zeros(k),
        Array4::<f32>::zeros(v),
    );
    let scoring = Scoring::default();
    let fast = forward(q.view(), k.view(), v.view(), &scoring).expect_err("shapes that do not fit");
    let (q, k, v) = (q.mapv(f64::from), k.mapv(f64::from), v.mapv(f64::from));
    let exact = reference::attention(q.view(), k.view(), v.view(), &scoring)
        .expect_err("shapes that do not fit");
    assert_eq!(fast, exact);
    fast.to_string()
}

#[test]
fn shapes() {
    for (q, k, v, message) in [
        (
            [1, 1, 2, 3],
            [1, 1, 2, 4],
            [1, 1, 2, 3],
            "d_k is 3 in q but 4 in k; they must be equal",
        ),
        (
            [1, 1, 2, 3],
            [2, 1, 2, 3],
            [2, 1, 2, 3],
            "B is 1 in q but 2 in k; they must be equal",
        ),
        (
            [1, 1, 2, 3],
            [1, 1, 2, 3],
            [2, 1, 2, 3],
            "B is 1 in q but 2 in v; they must be equal",
        ),
        (
            [1, 4, 2, 3],
            [1, 2, 2, 3],
            [1, 4, 2, 3],
            "H_kv is 2 in k but 4 in v; they must be equal",
        ),
        (
            [1, 1, 2, 3],
            [1, 1, 5, 3],
            [1, 1, 6, 3],
            "M is 5 in k but 6 in v; they must be equal",
        ),
        (
            [1, 3, 2, 3],
            [1, 2, 2, 3],
            [1, 2, 2, 3],
            "3 query heads cannot be grouped over 2 key/value heads: H_kv must divide H",
        ),
        (
            [1, 1, 0, 3],
            [1, 1, 2, 3],
            [1, 1, 2, 3],
            "N of q is 0; it must be at least 1",
        ),
        (
            [0, 1, 1, 3],
            [1, 1, 2, 3],
            [1, 1, 2, 3],
            "B of q is 0; it must be at least 1",
        ),
        (
            [1, 1, 1, 0],
            [1, 1, 2, 0],
            [1, 1, 2, 3],
            "d_k of q is 0; it must be at least 1",
        ),
        (
            [1, 1, 1, 3],
            [1, 0, 2, 3],
            [1, 0, 2, 3],
            "H_kv of k is 0; it must be at least 1",
        ),
        (
            [1, 1, 1, 3],
            [1, 1, 0, 3],
            [1, 1, 0, 3],
            "M of k is 0; it must be at least 1",
        ),
        (
            [1, 1, 1, 3],
            [1, 1, 2, 3],
            [1, 1, 2, 0],
            "d_v of v is 0; it must be at least 1",
        ),
    ] {
        assert_eq!(of_shapes(q, k, v), message);
    }
}

#[test]
fn options() {
    let x = Random(1).plain([2, 3, 4, 5]);
    let wide = x.mapv(f64::from);
    let two = [0.5f32, 1.0];
    let bad = [0.5, f32::NAN, 1.0];
    let infinite = [f32::INFINITY, 0.0, 0.0];
    let (short, long) = ([4usize], [4usize, 5]);
    let bias = Array4::<f32>::zeros((2, 3, 4, 3));
    let base = Scoring::default;
    for (scoring, message) in [
        (
            base().with_scale(f32::NAN),
            "the scale is NaN; it must be finite",
        ),
        (
            base().with_scale(f32::INFINITY),
            "the scale is inf; it must be finite",
        ),
        (
            base().with_mask(Mask::Window {
                window: 0,
                offset: 0,
            }),
            "window of the mask is 0; it must be at least 1",
        ),
        (
            base().with_soft_cap(0.0),
            "soft_cap is 0; it must be finite and above 0",
        ),
        (
            base().with_soft_cap(f32::NAN),
            "soft_cap is NaN; it must be finite and above 0",
        ),
        (
            base().with_alibi(&two),
            "alibi has 2 entries along H; 3 are needed",
        ),
        (
            base().with_alibi(&bad),
            "alibi is NaN; each slope must be finite",
        ),
        (
            base().with_sinks(&two),
            "sinks has 2 entries along H; 3 are needed",
        ),
        (
            base().with_sinks(&bad),
            "sinks is NaN; each logit must be finite or -inf",
        ),
        (
            base().with_sinks(&infinite),
            "sinks is inf; each logit must be finite or -inf",
        ),
        (
            base().with_key_lengths(&short),
            "key_lengths has 1 entries along B; 2 are needed",
        ),
        (
            base().with_key_lengths(&long),
            "keys 0..5 is not within 0..4",
        ),
        (
            base().with_bias(bias.view()),
            "bias has 3 entries along M; 4 are needed",
        ),
    ] {
        let fast = forward(x.view(), x.view(), x.view(), &scoring).expect_err(message);
        assert_eq!(fast.to_string(), message);
        let exact = reference::attention(wide.view(), wide.view(), wide.view(), &scoring)
            .expect_err(message);
        assert_eq!(exact.to_string(), message);
    }
}

#[test]
fn outputs() {
    let x = Random(1).plain([2, 3, 4, 5]);
    let scoring = Scoring::default();
    let run = |o: [usize; 4], lse: [usize; 3]| {
        let (mut o, mut lse) = (Array4::zeros(o), Array3::zeros(lse));
        forward_into(
            x.view(),
            x.view(),
            x.view(),
            &scoring,
            o.view_mut(),
            lse.view_mut(),
        )
        .map_err(|e| e.to_string())
    };
    assert_eq!(run([2, 3, 4, 5], [2, 3, 4]), Ok(()));
    assert_eq!(
        run([2, 3, 4, 6], [2, 3, 4]),
        Err("d_v is 6 in o but 5 in v; they must be equal".into())
    );
    assert_eq!(
        run([1, 3, 4, 5], [2, 3, 4]),
        Err("B is 1 in o but 2 in q; they must be equal".into())
    );
    assert_eq!(
        run([2, 3, 4, 5], [2, 3, 5]),
        Err("N is 5 in lse but 4 in q; they must be equal".into())
    );
}

#[test]
#[expect(
    clippy::reversed_empty_ranges,
    reason = "a range that runs backwards is one of the mistakes"
)]
fn ranges_of_weights() {
    let (q, k, lse) = (
        Array2::<f32>::zeros((3, 4)),
        Array2::<f32>::zeros((6, 4)),
        Array1::<f32>::zeros(3),
    );
    let run = |rows, cols| {
        weights(
            q.view(),
            k.view(),
            lse.view(),
            &Scoring::default(),
            rows,
            cols,
        )
        .map(|w| w.dim())
        .map_err(|e| e.to_string())
    };
    assert_eq!(run(1..3, 2..6), Ok((2, 4)));
    assert_eq!(run(1..1, 2..6), Ok((0, 4)));
    assert_eq!(run(3..3, 6..6), Ok((0, 0)));
    assert_eq!(run(1..4, 2..6), Err("rows 1..4 is not within 0..3".into()));
    assert_eq!(run(1..3, 2..7), Err("cols 2..7 is not within 0..6".into()));
    assert_eq!(run(2..1, 2..5), Err("rows 2..1 is not within 0..3".into()));
    let short = Array1::<f32>::zeros(2);
    let error = weights(
        q.view(),
        k.view(),
        short.view(),
        &Scoring::default(),
        0..1,
        0..1,
    );
    assert_eq!(
        error.map_err(|e| e.to_string()),
        Err("N is 3 in q but 2 in lse; they must be equal".into())
    );
}

#[test]
fn steps_of_the_reference() {
    let a = |rows, cols| Array2::<f64>::zeros((rows, cols));
    let message = |error: Result<_, Error>| {
        error
            .map(|_: Array2<f64>| ())
            .expect_err("misuse")
            .to_string()
    };
    assert_eq!(
        message(reference::project(a(2, 3).view(), a(4, 5).view())),
        "d is 3 in x but 4 in w; they must be equal"
    );
    assert_eq!(
        message(reference::project(a(0, 3).view(), a(3, 5).view())),
        "N of x is 0; it must be at least 1"
    );
    assert_eq!(
        message(reference::scores(a(2, 3).view(), a(2, 4).view())),
        "d_k is 3 in q but 4 in k; they must be equal"
    );
    assert_eq!(
        message(reference::scale(a(2, 3).view(), f64::NAN)),
        "the scale is NaN; it must be finite"
    );
    assert_eq!(
        message(reference::mask(
            a(2, 3).view(),
            &Mask::Window {
                window: 0,
                offset: 0
            }
        )),
        "window of the mask is 0; it must be at least 1"
    );
    assert_eq!(
        message(reference::softmax(a(2, 0).view())),
        "M of scores is 0; it must be at least 1"
    );
    assert_eq!(
        message(reference::weighted_sum(
            a(2, 3).view(),
            a(4, 5).view(),
            &Mask::None
        )),
        "M is 3 in weights but 4 in v; they must be equal"
    );
    assert_eq!(
        message(reference::concat(&[])),
        "H of heads is 0; it must be at least 1"
    );
    assert_eq!(
        message(reference::concat(&[a(2, 3).view(), a(3, 3).view()])),
        "N is 2 in the first head but 3 in another head; they must be equal"
    );
    let (x, w, w_o) = (a(4, 6), a(6, 2), a(3, 6));
    let head = reference::HeadMatrices {
        w_q: w.view(),
        w_k: w.view(),
        w_v: w.view(),
    };
    assert_eq!(
        message(reference::multi_head(
            x.view(),
            &[head],
            w_o.view(),
            &Mask::None
        )),
        "H·d_v is 2 in the concatenated heads but 3 in w_o; they must be equal"
    );
}

/// Views that repeat one row beyond what any memory holds.
#[test]
fn more_rows_than_memory() {
    let row = Array4::<f32>::zeros((1, 1, 1, 4));
    for rows in [1usize << 44, (isize::MAX as usize) / 64] {
        let many = row.broadcast((1, 1, rows, 4)).expect("broadcast");
        let scoring = Scoring::default();
        let found = forward(many, row.view(), row.view(), &scoring).expect_err("too many queries");
        assert_eq!(found, Error::TooLarge { operand: "o" });
        let found = forward(row.view(), many, many, &scoring).expect_err("too many keys");
        let operand = "the packed keys and values";
        assert_eq!(found, Error::TooLarge { operand });
    }
}
