//! Profiles, copying and logit parts against plain f64 computations from the full weights, on a short text.

use lookback_attention::{Mask, reference};
use lookback_heads::logits::logit_parts;
use lookback_heads::profile::{LOCAL, SINK_THRESHOLD, profiles, sink_rate};
use lookback_heads::{copying, head};
use lookback_model::{Encoding, Logits, Prefix, TraceOptions};
use lookback_trace::Trace;
use ndarray::{Array2, Axis, s};

use crate::common::model;

const TEXT: &str =
    "Vatsal studies a lot, Madd does not. Yet he gets high scores in test. The others are tired.";

fn encoding(prefix: &Prefix) -> Encoding {
    model().tokenizer().encode(TEXT, prefix).unwrap()
}

fn trace(prefix: &Prefix) -> Trace {
    let options = TraceOptions {
        logits: Logits::None,
        ..TraceOptions::default()
    };
    model()
        .trace(&encoding(prefix), &options, &())
        .unwrap()
        .trace
}

#[track_caller]
fn close(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() < within, "{found} {expected}");
}

#[test]
fn profiles_follow_their_definitions() {
    for prefix in [Prefix::Declared, Prefix::None] {
        let (encoding, trace) = (encoding(&prefix), trace(&prefix));
        let all = profiles(&trace, &[]).unwrap();
        assert_eq!(all.len(), 270);
        for layer in [0, 9, 29] {
            let inner = model().inspect(&encoding.ids, layer).unwrap();
            for h in 0..9 {
                let exact =
                    |x: &ndarray::Array3<f32>, h: usize| x.index_axis(Axis(0), h).mapv(f64::from);
                let scores =
                    reference::scores(exact(&inner.q, h).view(), exact(&inner.k, h / 3).view())
                        .unwrap();
                let scores =
                    reference::scale(scores.view(), inner.scoring.scale.unwrap().into()).unwrap();
                let scores = reference::mask(scores.view(), &Mask::default()).unwrap();
                let w = reference::softmax(scores.view()).unwrap();
                let w_o = inner
                    .w_o
                    .slice(s![h * 64..(h + 1) * 64, ..])
                    .mapv(f64::from);
                let f = exact(&inner.v, h / 3).dot(&w_o);
                let norms: Vec<f64> = f.outer_iter().map(|f| f.dot(&f).sqrt()).collect();
                let found = all[layer * 9 + h];
                let n = w.nrows();
                let first = encoding.prefix_tokens.max(1);
                let mean = |of: &dyn Fn(usize) -> f64| {
                    (first..n).map(of).sum::<f64>() / (n - first) as f64
                };
                close(
                    found.sink_share,
                    mean(&|i| w.slice(s![i, ..first]).sum()),
                    1e-5,
                );
                let above =
                    |i: usize| f64::from(w.slice(s![i, ..first]).sum() > f64::from(SINK_THRESHOLD));
                close(found.sink_rate, mean(&above), 1.5 / n as f64);
                close(
                    found.entropy,
                    mean(&|i| {
                        -w.row(i)
                            .iter()
                            .filter(|&&w| w > 0.0)
                            .map(|w| w * w.ln())
                            .sum::<f64>()
                    }),
                    1e-4,
                );
                close(
                    found.mean_distance,
                    mean(&|i| (0..=i).map(|j| w[[i, j]] * (i - j) as f64).sum()),
                    1e-3,
                );
                close(found.self_share, mean(&|i| w[[i, i]]), 1e-5);
                close(found.previous_share, mean(&|i| w[[i, i - 1]]), 1e-5);
                close(
                    found.local_share,
                    mean(&|i| {
                        w.slice(s![i, (i + 1).saturating_sub(LOCAL as usize)..=i])
                            .sum()
                    }),
                    1e-5,
                );
                close(
                    found.special_share,
                    mean(&|i| w.slice(s![i, ..encoding.prefix_tokens]).sum()),
                    1e-5,
                );
                let moved = |of: &dyn Fn(usize, usize) -> bool| -> f64 {
                    let mut sum = 0.0;
                    for i in first..n {
                        sum += (0..=i)
                            .filter(|&j| of(i, j))
                            .map(|j| w[[i, j]] * norms[j])
                            .sum::<f64>();
                    }
                    sum
                };
                let whole = moved(&|_, _| true);
                let values = found.values.unwrap();
                close(
                    values.value_sink_share,
                    moved(&|_, j| j < first) / whole,
                    1e-4,
                );
                close(values.value_self_share, moved(&|i, j| i == j) / whole, 1e-4);
                close(
                    values.value_previous_share,
                    moved(&|i, j| i == j + 1) / whole,
                    1e-4,
                );
            }
        }
        println!("sink rate of the model: {:.3}", sink_rate(&all));
    }
}

#[test]
fn a_text_of_nothing_but_its_sink_is_an_error() {
    let mut encoding = encoding(&Prefix::Declared);
    encoding.ids.truncate(1);
    encoding.spans.truncate(1);
    encoding.text.clear();
    let options = TraceOptions {
        logits: Logits::None,
        ..TraceOptions::default()
    };
    let trace = model().trace(&encoding, &options, &()).unwrap().trace;
    assert!(
        profiles(&trace, &[])
            .unwrap_err()
            .to_string()
            .contains("too few")
    );
}

#[test]
fn parts_of_a_logit_difference_are_those_of_the_full_weights() {
    let text = "When Mary and John went to the store, John gave a drink to";
    let encoding = model().tokenizer().encode(text, &Prefix::Declared).unwrap();
    let id = |name: &str| model().tokenizer().encode(name, &Prefix::None).unwrap().ids[0];
    let parts = logit_parts(model(), &encoding, (id(" Mary"), id(" John")), &()).unwrap();
    println!("difference {:.3}, rest {:.3}", parts.difference, parts.rest);
    let last = encoding.ids.len() - 1;
    let rows = model()
        .unembeddings(&[parts.tokens.0, parts.tokens.1])
        .unwrap()
        .mapv(f64::from);
    let direction = &rows.row(0) - &rows.row(1);
    // All parts are divided by the same norm, that of the last layer's output.
    let mut norms = Vec::new();
    for layer in [0, 14, 29] {
        let inner = model().inspect(&encoding.ids, layer).unwrap();
        for h in 0..9 {
            let z: ndarray::Array1<f64> = inner.z.slice(s![h, last, ..]).mapv(f64::from);
            let w_o: Array2<f64> = inner
                .w_o
                .slice(s![h * 64..(h + 1) * 64, ..])
                .mapv(f64::from);
            let undivided: f64 = z.dot(&w_o.dot(&direction));
            let found = parts.heads[layer * 9 + h].part;
            if undivided.abs() > 1e-2 {
                norms.push(undivided / found);
            }
        }
    }
    println!(
        "norm of the last layer's output {:.4}, from {} heads",
        norms[0],
        norms.len()
    );
    assert!(norms.len() > 9 && norms[0] > 0.0);
    for norm in &norms {
        close(norm / norms[0], 1.0, 1e-3);
    }
    let total: f64 = parts.heads.iter().map(|p| p.part).sum::<f64>() + parts.embedding + parts.rest;
    close(total, parts.difference, 1e-9);
}

#[test]
fn copying_scores_come_from_the_whole_circuit() {
    let mut go_on = |_, _| true;
    let scores = copying::copying(model(), &mut go_on).unwrap().unwrap();
    assert_eq!(scores.len(), 270);
    assert!(scores.iter().all(|c| (-1.0..=1.0).contains(&c.copying)));
    let mut order = scores.clone();
    order.sort_by(|a, b| b.copying.total_cmp(&a.copying));
    for c in order.iter().take(5).chain(order.iter().rev().take(3)) {
        println!("{} {:+.3}", head::name(c.head), c.copying);
    }
    // The trace of the V×V circuit, token by token, is the sum of its eigenvalues, and so positive where the score is.
    let weights = model().attention_weights(18).unwrap();
    let (w_v, w_o) = (
        weights.w_v.slice(s![.., 128..192]),
        weights.w_o.slice(s![6 * 64..7 * 64, ..]),
    );
    let (mut trace, mut all_out, mut all_u) = (
        0.0,
        ndarray::Array1::<f64>::zeros(576),
        ndarray::Array1::<f64>::zeros(576),
    );
    for first in (0..49152_u32).step_by(4096) {
        let ids: Vec<u32> = (first..first + 4096).collect();
        let e: Array2<f32> = &model().embeddings(&ids).unwrap() * &weights.norm_gain;
        let out = e.dot(&w_v).dot(&w_o);
        let u = model().unembeddings(&ids).unwrap();
        trace += (&out * &u).mapv(f64::from).sum();
        all_out += &out.mapv(f64::from).sum_axis(Axis(0));
        all_u += &u.mapv(f64::from).sum_axis(Axis(0));
    }
    trace -= (&all_out * &all_u).sum() / 49152.0;
    let found = scores
        .iter()
        .find(|c| c.head == head::parse("18.6").unwrap())
        .unwrap();
    assert_eq!(trace > 0.0, found.copying > 0.0, "{trace} {found:?}");
}
