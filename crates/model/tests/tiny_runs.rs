//! Tiny checkpoints, run: logits and attention weights against those that the transformers library computed
//! (`scripts/make_tiny_checkpoints.py`), for every option of the family and every type that GGUF files store
//! weights in.

#![allow(clippy::print_stdout, reason = "what is measured is printed")]

mod common;

use std::path::PathBuf;

use common::{Tensors, data, load, max_difference};
use lookback_model::{Encoding, Logits, Model, PrefillOptions, TraceOptions, WeightsKind};
use ndarray::{Array2, ArrayD, s};

/// In both formats.
const PAIRS: [&str; 8] = [
    "tied",
    "untied-bf16",
    "grouped",
    "head-dim-f16",
    "sharded",
    "rope-llama3",
    "rope-linear",
    "mistral",
];

/// As GGUF files alone: between them every type that is read.
const QUANTISED: [&str; 2] = ["quantised", "k-quants"];

/// How far logits and weights may be off in f32. Logits are below 2 in size, and a dozen products of at most 256
/// terms lie behind each: 1e-5 is what f32's rounding comes to, and a mistake in the mathematics is of order 1.
const WITHIN: f32 = 1e-4;

fn files(name: &str) -> Vec<PathBuf> {
    let folder = data("tiny").join(name);
    let gguf = folder.join("model.gguf");
    if PAIRS.contains(&name) {
        vec![folder, gguf]
    } else {
        vec![gguf]
    }
}

/// Logits after every token, \[N, vocabulary\].
fn prefill(model: &Model, ids: &[u32]) -> Array2<f32> {
    let options = PrefillOptions {
        logits: Logits::All,
        ..PrefillOptions::default()
    };
    let read = model.prefill(ids, &options);
    read.expect("the tokens can be read").logits
}

/// The largest difference between the traced attention weights and `expected` \[layers, heads, N, N\].
fn weights_off(model: &Model, ids: &[u32], expected: &ArrayD<f32>) -> f32 {
    let encoding = Encoding {
        ids: ids.to_vec(),
        spans: vec![(0, 0); ids.len()],
        prefix_tokens: ids.len(),
        prefix_was_in_text: false,
        suffix_tokens: 0,
        text: String::new(),
    };
    let traced = model.trace(&encoding, &TraceOptions::default(), &());
    let trace = traced.expect("the tokens can be traced").trace;
    let n = trace.n();
    let heads = |layer| (0..trace.head_count(layer)).map(move |head| (layer, head));
    (0..trace.layer_count())
        .flat_map(heads)
        .map(|(layer, head)| {
            let weights = trace.weights(layer, head, 0..n, 0..n).expect("a head");
            max_difference(&weights, expected.slice(s![layer, head, .., ..]))
        })
        .fold(0.0, f32::max)
}

/// Logits after every token, read from a cache that is filled one token at a time after the first half.
fn decoded(model: &Model, ids: &[u32]) -> Array2<f32> {
    let options = PrefillOptions {
        logits: Logits::All,
        cache: true,
        ..PrefillOptions::default()
    };
    let half = ids.len() / 2;
    let read = model.prefill(&ids[..half], &options).expect("the half");
    let (mut logits, mut cache) = (read.logits, read.cache.expect("it was asked for"));
    for &id in &ids[half..] {
        let row = model.decode(id, &mut cache).expect("one token more");
        logits.push_row(row.view()).expect("one row of logits");
    }
    logits
}

fn agrees(name: &str, kind: WeightsKind) {
    let reference = Tensors::open(&data("tiny").join(name).join("expected.safetensors"));
    let ids = reference.ids("input_ids");
    let (logits, attentions) = (reference.get("logits"), reference.get("attentions"));
    for path in files(name) {
        let model = load(&path, kind);
        let off = [
            max_difference(&prefill(&model, &ids), &logits),
            max_difference(&decoded(&model, &ids), &logits),
            weights_off(&model, &ids, &attentions),
        ];
        let [at_once, one_by_one, weights] = off;
        let format = if path.is_dir() { "folder" } else { "GGUF" };
        println!(
            "{name} ({format}): off by at most {at_once:.1e} (logits at once), {one_by_one:.1e} (one by one), {weights:.1e} (weights)"
        );
        assert!(off.iter().all(|&off| off < WITHIN), "{name}: {off:?}");
    }
}

#[test]
fn folders_and_their_gguf_files_agree_with_transformers() {
    for name in PAIRS {
        agrees(name, WeightsKind::F32);
    }
}

#[test]
fn every_quantised_type_agrees_with_transformers_on_its_dequantised_weights() {
    for name in QUANTISED {
        agrees(name, WeightsKind::F32);
    }
}

/// 16-bit weights are widened without loss where they are multiplied by.
#[test]
fn weights_kept_in_sixteen_bits_agree_with_transformers() {
    for name in ["untied-bf16", "head-dim-f16", "rope-linear", "mistral"] {
        agrees(name, WeightsKind::Quantized);
    }
}
