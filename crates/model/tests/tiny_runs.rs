//! Tiny checkpoints, run: logits and attention weights against those that the transformers library computes.

#![allow(clippy::print_stdout, reason = "what is measured is printed")]

mod common;

use std::path::Path;

use common::{Tensors, data, load, max_difference};
use lookback_model::{Encoding, Logits, TraceOptions, Traced, WeightsKind};
use ndarray::s;

/// How far logits and weights may be off.
const WITHIN: f32 = 1e-4;

/// Folders, each with the same checkpoint as a GGUF file in it.
const BOTH_FORMATS: [&str; 8] = [
    "tied",
    "untied-bf16",
    "grouped",
    "head-dim-f16",
    "sharded",
    "rope-llama3",
    "rope-linear",
    "mistral",
];

/// GGUF files alone, in quantised types.
const QUANTISED: [&str; 2] = ["quantised", "k-quants"];

/// The largest differences of a run of the checkpoint at `path` from `expected`: logits, and weights.
fn differences(path: &Path, expected: &Tensors) -> (f32, f32) {
    let model = load(path, WeightsKind::F32);
    let ids = expected.ids("input_ids");
    let encoding = Encoding {
        spans: vec![(0, 0); ids.len()],
        ids,
        prefix_tokens: 0,
        text: String::new(),
    };
    let options = TraceOptions {
        logits: Logits::All,
        ..TraceOptions::default()
    };
    let Traced { trace, logits } = model.trace(&encoding, &options, &()).expect("it runs");
    let attentions = expected.get("attentions");
    assert_eq!(
        attentions.shape()[..2],
        [trace.layer_count(), trace.head_count(0)]
    );
    let mut weights_off = 0.0_f32;
    for layer in 0..trace.layer_count() {
        for head in 0..trace.head_count(layer) {
            let weights = trace
                .weights(layer, head, 0..trace.n(), 0..trace.n())
                .expect("sound weights");
            let expected = attentions.slice(s![layer, head, .., ..]);
            weights_off = weights_off.max(max_difference(&weights, expected));
        }
    }
    (
        max_difference(&logits, &expected.get("logits")),
        weights_off,
    )
}

#[test]
fn folders_and_gguf_files_compute_what_transformers_does() {
    let folders = BOTH_FORMATS.map(|name| (name, true));
    let files = BOTH_FORMATS
        .iter()
        .chain(&QUANTISED)
        .map(|&name| (name, false));
    for (name, is_folder) in folders.into_iter().chain(files) {
        let folder = data("tiny").join(name);
        let path = match is_folder {
            true => folder.clone(),
            false => folder.join("model.gguf"),
        };
        let expected = Tensors::open(&folder.join("expected.safetensors"));
        let (logits, weights) = differences(&path, &expected);
        let format = if is_folder { "folder" } else { "gguf" };
        println!("{name} ({format}): logits off by at most {logits:.1e}, weights {weights:.1e}");
        assert!(logits < WITHIN && weights < WITHIN, "{name} ({format})");
    }
}

#[test]
fn a_text_read_in_pieces_is_the_text_read_at_once() {
    for name in ["grouped", "head-dim-f16", "rope-llama3"] {
        let folder = data("tiny").join(name);
        let expected = Tensors::open(&folder.join("expected.safetensors"));
        let model = load(&folder, WeightsKind::F32);
        let ids = expected.ids("input_ids");
        let options = lookback_model::PrefillOptions {
            logits: Logits::All,
            cache: true,
            ..lookback_model::PrefillOptions::default()
        };
        let first = model.prefill(&ids[..5], &options).unwrap();
        let mut cache = first.cache.expect("it was asked for");
        let mut rows = vec![first.logits];
        rows.push(model.extend(&ids[5..8], &Logits::All, &mut cache).unwrap());
        for &id in &ids[8..] {
            rows.push(model.extend(&[id], &Logits::All, &mut cache).unwrap());
        }
        let views: Vec<_> = rows.iter().map(|rows| rows.view()).collect();
        let logits = ndarray::concatenate(ndarray::Axis(0), &views).unwrap();
        let off = max_difference(&logits, &expected.get("logits"));
        assert!(off < WITHIN, "{name}: {off:e}");
    }
}
