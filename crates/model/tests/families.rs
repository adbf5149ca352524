//! Tiny checkpoints of every family, run: logits, hidden states, log-sum-exps and attention weights against those that the
//! transformers library computed (`scripts/make_family_checkpoints.py`), from a folder and, where there is one, from GGUF.

#![allow(clippy::print_stdout, reason = "what is measured is printed")]

mod common;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::{Tensors, argmax, data, load, max_difference};
use lookback_model::generate::GenerateOptions;
use lookback_model::spec::RopeScaling;
use lookback_model::{Encoding, Error, Logits, Model, PrefillOptions, TraceOptions, WeightsKind};
use ndarray::{Array2, s};

/// How far a number may be off in f32, times the size of the largest where that is above 1. f32's rounding comes to a tenth; what
/// a left-out part changes is of order 1, since no parameter is where it is initialised.
const WITHIN: f32 = 1e-4;

/// The variants whose folder's name begins so.
fn variants(family: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(data("families")).expect("the test data");
    let mut folders: Vec<PathBuf> = all
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir() && name(path).starts_with(family))
        .collect();
    folders.sort();
    assert!(folders.len() >= 3, "{family}: {folders:?}");
    folders
}

fn name(folder: &Path) -> &str {
    folder
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name")
}

fn check(family: &str) {
    for folder in variants(family) {
        let gguf = folder.join("model.gguf");
        agrees(&folder, &folder);
        if gguf.exists() {
            agrees(&folder, &gguf);
        }
    }
}

/// Compares the model in `path` with the reference of `folder`.
fn agrees(folder: &Path, path: &Path) {
    let reference = Tensors::open(&folder.join("expected.safetensors"));
    let ids = reference.ids("input_ids");
    let model = load(path, WeightsKind::F32);
    let mut off = vec![
        ("weights", weights_off(&model, &ids, &reference)),
        ("lse", lse_off(&model, &ids, &reference)),
    ];
    if let (true, Some(expected)) = (model.has_output_head(), reference.find("logits")) {
        let largest = expected
            .iter()
            .fold(1.0_f32, |largest, x| largest.max(x.abs()));
        let read = prefill(&model, &ids, Logits::All);
        off.push(("logits", max_difference(&read.logits, &expected) / largest));
        if !model.spec().is_bidirectional() {
            let greedy = reference.ids("greedy");
            let continued = if depends_on_length(&model) {
                // Keys in a cache were turned for a shorter text than the one that the reference reads.
                continued_without_cache(&model, &ids, greedy.len())
            } else {
                let half = ids.len() / 2;
                let anew = model.spec().turns_anew_after();
                if !anew.is_some_and(|after| (half..ids.len()).contains(&after)) {
                    let one_by_one = decoded(&model, &ids);
                    off.push(("decoded", max_difference(&one_by_one, &expected) / largest));
                }
                continued(&model, &ids, greedy.len())
            };
            assert_eq!(continued, greedy, "{}", name(folder));
        }
        let hidden = reference.get("hidden");
        let largest = hidden
            .iter()
            .fold(1.0_f32, |largest, x| largest.max(x.abs()));
        off.push(("hidden", max_difference(&read.hidden, &hidden) / largest));
    } else {
        assert!(
            !model.has_output_head() || path != folder,
            "{}",
            name(folder)
        );
    }
    let format = if path.is_dir() { "folder" } else { "GGUF" };
    let shown: Vec<String> = off
        .iter()
        .map(|(what, off)| format!("{what} {off:.1e}"))
        .collect();
    println!(
        "{} ({format}): off by at most {}",
        name(folder),
        shown.join(", ")
    );
    assert!(
        off.iter().all(|(_, off)| *off < WITHIN),
        "{}: {off:?}",
        name(folder)
    );
}

fn prefill(model: &Model, ids: &[u32], logits: Logits) -> lookback_model::Prefill {
    let options = PrefillOptions {
        logits,
        cache: true,
        ..PrefillOptions::default()
    };
    model
        .prefill(ids, &options)
        .expect("the tokens can be read")
}

/// Logits after every token, read from a cache that is filled one token at a time after the first half.
fn decoded(model: &Model, ids: &[u32]) -> Array2<f32> {
    let half = ids.len() / 2;
    let read = prefill(model, &ids[..half], Logits::All);
    let (mut logits, mut cache) = (read.logits, read.cache.expect("it was asked for"));
    for &id in &ids[half..] {
        let row = model.decode(id, &mut cache).expect("one token more");
        logits.push_row(row.view()).expect("one row of logits");
    }
    logits
}

/// Whether rotary angles become others with each token of a text.
fn depends_on_length(model: &Model) -> bool {
    let mut ropes = model
        .spec()
        .layers
        .iter()
        .filter_map(|layer| layer.attention.rope.as_ref());
    ropes.any(|rope| matches!(rope.scaling, RopeScaling::Dynamic { .. }))
}

/// The likeliest continuation, each token from a pass over all before it.
fn continued_without_cache(model: &Model, ids: &[u32], tokens: usize) -> Vec<u32> {
    let mut all = ids.to_vec();
    for _ in 0..tokens {
        let logits = prefill(model, &all, Logits::Last).logits;
        all.push(argmax(logits.row(0)) as u32);
    }
    all.split_off(ids.len())
}

/// The likeliest continuation.
fn continued(model: &Model, ids: &[u32], tokens: usize) -> Vec<u32> {
    let options = GenerateOptions {
        max_tokens: tokens,
        stop_tokens: Vec::new(),
        ..GenerateOptions::default()
    };
    let generated = model.generate(ids, &options, &(), &mut |_| ControlFlow::Continue(()));
    generated.expect("a continuation").tokens
}

fn encoding(ids: &[u32]) -> Encoding {
    Encoding {
        ids: ids.to_vec(),
        spans: vec![(0, 0); ids.len()],
        prefix_tokens: ids.len(),
        prefix_was_in_text: false,
        suffix_tokens: 0,
        text: String::new(),
    }
}

fn weights_off(model: &Model, ids: &[u32], reference: &Tensors) -> f32 {
    let expected = reference.get("attentions");
    let options = TraceOptions {
        logits: Logits::None,
        ..TraceOptions::default()
    };
    let traced = model.trace(&encoding(ids), &options, &());
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

/// What weights hide: a bias of keys adds the same to every score of a row.
fn lse_off(model: &Model, ids: &[u32], reference: &Tensors) -> f32 {
    let expected = reference.get("lse");
    let mut largest = 0.0_f32;
    for layer in 0..model.spec().layers.len() {
        let inside = model.inspect(ids, layer).expect("a layer");
        let expected = expected.slice(s![layer, .., ..]);
        let size = expected.iter().fold(1.0_f32, |size, x| size.max(x.abs()));
        largest = largest.max(max_difference(&inside.lse, expected) / size);
    }
    largest
}

macro_rules! families {
    ($($test:ident: $family:literal,)*) => {
        $(#[test]
        fn $test() {
            check($family);
        })*
    };
}

families! {
    gpt2_agrees_with_transformers: "gpt2-",
    gpt_neox_agrees_with_transformers: "neox-",
    llama_agrees_with_transformers: "llama-",
    mistral_agrees_with_transformers: "mistral-",
    mixtral_agrees_with_transformers: "mixtral-",
    qwen2_agrees_with_transformers: "qwen2-",
    qwen2_moe_agrees_with_transformers: "qwen2moe-",
    qwen3_moe_agrees_with_transformers: "qwen3moe-",
    gpt_oss_agrees_with_transformers: "gptoss-",
    qwen3_agrees_with_transformers: "qwen3-",
    gemma2_agrees_with_transformers: "gemma2-",
    gemma3_agrees_with_transformers: "gemma3-",
    phi3_agrees_with_transformers: "phi3-",
    olmo2_agrees_with_transformers: "olmo2-",
    smollm3_agrees_with_transformers: "smollm3-",
    granite_agrees_with_transformers: "granite-",
    opt_agrees_with_transformers: "opt-",
    bloom_agrees_with_transformers: "bloom-",
    falcon_agrees_with_transformers: "falcon-",
    bert_agrees_with_transformers: "bert-",
    distilbert_agrees_with_transformers: "distilbert-",
    roberta_agrees_with_transformers: "roberta-",
    modernbert_agrees_with_transformers: "modernbert-",
}

#[test]
fn a_text_that_outgrows_its_first_rotary_factors_is_read_again() {
    for variant in ["llama-rope-longrope", "phi3-longrope"] {
        let folder = data("families").join(variant);
        let model = load(&folder, WeightsKind::F32);
        let ids = Tensors::open(&folder.join("expected.safetensors")).ids("input_ids");
        let after = model.spec().turns_anew_after().expect("LongRoPE");
        let prompt = &ids[..after - 2];
        let expected = continued_without_cache(&model, prompt, 6);
        assert_eq!(continued(&model, prompt, 6), expected, "{variant}");
    }
}

#[test]
fn a_text_that_is_read_as_a_whole_is_not_continued() {
    let model = load(&data("families/bert-masked-lm"), WeightsKind::F32);
    let ids = [2, 7, 3];
    let mut cache = prefill(&model, &ids, Logits::None).cache.expect("a cache");
    let extended = model.extend(&[5], &Logits::Last, &mut cache);
    assert!(matches!(extended, Err(Error::Bidirectional { .. })));
    let options = GenerateOptions::default();
    let generated = model.generate(&ids, &options, &(), &mut |_| ControlFlow::Continue(()));
    assert!(matches!(generated, Err(Error::Bidirectional { .. })));
}

#[test]
fn logits_that_are_no_sum_of_parts_say_so_by_name() {
    for (variant, what) in [
        ("gemma2-soft-caps", "soft-cap"),
        ("bert-masked-lm", "dense layer"),
        ("modernbert-masked-lm", "dense layer"),
    ] {
        let model = load(&data("families").join(variant), WeightsKind::F32);
        let error = model.unembeddings(&[1]).unwrap_err();
        assert!(matches!(error, Error::NotLinear { .. }) && error.to_string().contains(what));
    }
}

/// u·(x − mean(x))/σ ⊙ g: what a direction in the residual stream adds to a difference of logits, for every norm.
#[test]
fn a_direction_of_logits_gives_their_difference() {
    use std::sync::Mutex;

    use lookback_model::Hooks;
    use ndarray::ArrayView2;

    struct Last(Mutex<Option<Array2<f32>>>);
    impl Hooks for Last {
        fn before_final_norm(&self, hidden: ArrayView2<f32>) {
            *self.0.lock().unwrap() = Some(hidden.to_owned());
        }
    }
    for variant in [
        "gpt2-untied",
        "neox-parallel",
        "qwen3-untied",
        "llama-biases",
        "granite-multipliers",
        "falcon-one-norm",
    ] {
        let model = load(&data("families").join(variant), WeightsKind::F32);
        let last = Last(Mutex::new(None));
        let options = PrefillOptions::default();
        let read = |ids: &[u32]| model.prefill_with(ids, &options, &last).unwrap().logits;
        let (a, b) = (5, 9);
        let difference = |logits: &Array2<f32>| f64::from(logits[[0, a]] - logits[[0, b]]);
        let mut offsets = Vec::new();
        // The final norm's bias adds the same to the difference whatever the text.
        for ids in [&[3, 4, 8][..], &[7, 1, 2, 6], &[10]] {
            let logits = read(ids);
            let hidden = last.0.lock().unwrap().take().unwrap();
            let direction = model
                .logit_direction((a as u32, b as u32), hidden.row(0))
                .unwrap();
            let parts = hidden.row(0).mapv(f64::from).dot(&direction);
            offsets.push(difference(&logits) - parts);
        }
        let spread = offsets
            .iter()
            .map(|x| (x - offsets[0]).abs())
            .fold(0.0, f64::max);
        assert!(spread < 1e-4, "{variant}: {offsets:?}");
    }
}
