//! The default model against the values that the transformers library computes on the same dequantised weights.

#![allow(clippy::print_stdout, reason = "what is measured is printed")]

mod common;

use std::sync::LazyLock;

use common::{Tensors, argmax, data, default_model, log_sum_exp, max_difference, mean_nll};
use lookback_model::generate::{End, GenerateOptions};
use lookback_model::{Encoding, Logits, PrefillOptions, Prefix, TraceOptions, Traced};
use ndarray::{Axis, s};
use serde_json::Value;

/// How far weights and log-sum-exps may be off.
const WEIGHTS_WITHIN: f32 = 2e-4;
/// How far logits may be off.
const LOGITS_WITHIN: f32 = 2e-3;

static GOLDEN: LazyLock<Value> = LazyLock::new(|| {
    let file = std::fs::read(data("golden").join("golden.json")).expect("golden.json is there");
    serde_json::from_slice(&file).expect("golden.json is JSON")
});

/// One of the two reference texts.
fn encoding(name: &str) -> Encoding {
    let text =
        std::fs::read_to_string(data("golden").join(format!("{name}.txt"))).expect("the text");
    let model = default_model();
    model
        .tokenizer()
        .encode(&text, &Prefix::None)
        .expect("the text can be encoded")
}

fn reference(name: &str) -> Tensors {
    Tensors::open(&data("golden").join(format!("{name}.safetensors")))
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).expect("a list of token ids")
}

/// A text's trace with logits at `logits`.
fn traced(encoding: &Encoding, logits: Logits) -> Traced {
    let options = TraceOptions {
        logits,
        ..TraceOptions::default()
    };
    default_model()
        .trace(encoding, &options, &())
        .expect("the text can be traced")
}

#[test]
fn seed_weights_lse_and_logits_agree() {
    let (encoding, reference) = (encoding("seed"), reference("seed"));
    assert_eq!(encoding.ids, reference.ids("input_ids"));
    let positions = reference.indices("logits_positions");
    let Traced { trace, logits } = traced(&encoding, Logits::At(positions));
    let (attention, lse) = (reference.get("attention"), reference.get("lse"));
    let (mut weights_off, mut lse_off) = (0.0_f32, 0.0_f32);
    for layer in 0..trace.layer_count() {
        for head in 0..trace.head_count(layer) {
            let weights = trace
                .weights(layer, head, 0..trace.n(), 0..trace.n())
                .unwrap();
            let expected = attention.slice(s![layer, head, .., ..]);
            weights_off = weights_off.max(max_difference(&weights, expected));
            let expected = lse.slice(s![layer, head, ..]);
            lse_off = lse_off.max(max_difference(trace.lse(layer, head).unwrap(), expected));
        }
    }
    let logits_off = max_difference(&logits, &reference.get("logits"));
    println!(
        "seed: weights off by at most {weights_off:.1e}, lse {lse_off:.1e}, logits {logits_off:.1e}"
    );
    assert!(weights_off < WEIGHTS_WITHIN && lse_off < WEIGHTS_WITHIN && logits_off < LOGITS_WITHIN);
}

#[test]
fn long_text_weights_and_lse_agree() {
    let (encoding, reference) = (encoding("long"), reference("long"));
    assert_eq!(encoding.ids, reference.ids("input_ids"));
    let trace = traced(&encoding, Logits::None).trace;
    let (weight, index) = (reference.get("top8_weight"), reference.get("top8_index"));
    let (lse, received) = (reference.get("lse"), reference.get("attn_received"));
    let rows = reference.indices("top8_rows");
    let (mut weights_off, mut lse_off, mut received_off) = (0.0_f32, 0.0_f32, 0.0_f32);
    for layer in 0..trace.layer_count() {
        for head in 0..trace.head_count(layer) {
            let weights = trace
                .weights(layer, head, 0..trace.n(), 0..trace.n())
                .unwrap();
            let expected = lse.slice(s![layer, head, ..]);
            lse_off = lse_off.max(max_difference(trace.lse(layer, head).unwrap(), expected));
            // A sum of 989 weights: it may be off by that many roundings.
            let sums = weights.sum_axis(Axis(0));
            received_off =
                received_off.max(max_difference(&sums, received.slice(s![layer, head, ..])));
            for (at, &row) in rows.iter().enumerate() {
                for place in 0..8 {
                    let expected = weight[[layer, head, at, place]];
                    let key = index[[layer, head, at, place]];
                    if key >= 0.0 {
                        weights_off =
                            weights_off.max((weights[[row, key as usize]] - expected).abs());
                    }
                }
            }
        }
    }
    println!(
        "long: weights off by at most {weights_off:.1e}, lse {lse_off:.1e}, received {received_off:.1e}"
    );
    assert!(weights_off < WEIGHTS_WITHIN && lse_off < WEIGHTS_WITHIN);
    assert!(received_off < 10.0 * WEIGHTS_WITHIN);
}

#[test]
fn long_text_predictions_agree() {
    let (encoding, reference) = (encoding("long"), reference("long"));
    let options = PrefillOptions {
        logits: Logits::All,
        ..PrefillOptions::default()
    };
    let logits = default_model()
        .prefill(&encoding.ids, &options)
        .unwrap()
        .logits;
    let likeliest: Vec<usize> = logits.outer_iter().map(argmax).collect();
    assert_eq!(likeliest, reference.indices("argmax_all"));
    let sums: Vec<f32> = logits
        .outer_iter()
        .map(|row| log_sum_exp(row) as f32)
        .collect();
    let sums_off = max_difference(&sums, &reference.get("logsumexp_all"));
    let nll = mean_nll(logits.outer_iter(), &encoding.ids);
    println!("long: logsumexp off by at most {sums_off:.1e}, mean NLL {nll:.6}");
    assert!(sums_off < LOGITS_WITHIN);
    let expected = GOLDEN["long"]["nll"].as_f64().unwrap();
    assert!((nll - expected).abs() < 1e-4, "{nll} {expected}");
}

#[test]
fn seed_mean_nll_agrees() {
    let encoding = encoding("seed");
    let options = PrefillOptions {
        logits: Logits::All,
        ..PrefillOptions::default()
    };
    let logits = default_model()
        .prefill(&encoding.ids, &options)
        .unwrap()
        .logits;
    let (nll, expected) = (
        mean_nll(logits.outer_iter(), &encoding.ids),
        GOLDEN["seed"]["nll"].as_f64().unwrap(),
    );
    assert!((nll - expected).abs() < 1e-4, "{nll} {expected}");
}

/// The greedy continuation of `prompt`, as long as `expected`.
fn continuation(prompt: &[u32], tokens: usize) -> Vec<u32> {
    let options = GenerateOptions {
        max_tokens: tokens,
        ..GenerateOptions::default()
    };
    let mut streamed = Vec::new();
    let generation = default_model()
        .generate(prompt, &options, &(), &mut |token| {
            streamed.push(token);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(generation.end, End::MaxTokens);
    assert_eq!(generation.tokens, streamed);
    streamed
}

#[test]
fn seed_greedy_continuation_is_equal() {
    let expected = ids(&GOLDEN["seed"]["greedy_ids"]);
    assert_eq!(
        continuation(&encoding("seed").ids, expected.len()),
        expected
    );
}

#[test]
fn long_greedy_continuation_is_equal_where_the_margin_decides() {
    let expected = ids(&GOLDEN["long"]["greedy_ids"]);
    let margins: Vec<f32> =
        serde_json::from_value(GOLDEN["long"]["greedy_margin"].clone()).unwrap();
    let undecided = margins
        .iter()
        .position(|&margin| margin < 2.0 * LOGITS_WITHIN)
        .unwrap_or(margins.len());
    let found = continuation(&encoding("long").ids, expected.len());
    let equal = found
        .iter()
        .zip(&expected)
        .take_while(|(a, b)| a == b)
        .count();
    println!(
        "long: {equal} of {} tokens equal; margins decide {undecided}",
        expected.len()
    );
    assert!(equal >= undecided);
}

#[test]
fn chat_answer_is_equal() {
    let expected = ids(&GOLDEN["chat"]["greedy_ids"]);
    let prompt = ids(&GOLDEN["chat"]["ids"]);
    assert_eq!(continuation(&prompt, expected.len()), expected);
}
