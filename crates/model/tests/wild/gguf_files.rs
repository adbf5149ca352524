//! GGUF files: names of pre-tokenizers, and types that candle has not.

use lookback_model::Prefix;
use lookback_model::checkpoint::{Checkpoint, OpenOptions, StoredType};
use serde_json::Value;

use crate::common::{data, load};
use crate::refusal;

fn expected(case: &str) -> Value {
    let file = std::fs::read(data("cases").join(case).join("expected.json")).unwrap();
    serde_json::from_slice(&file).unwrap()
}

fn cutting(name: &str) -> OpenOptions {
    OpenOptions {
        pre_tokenizer: Some(name.to_owned()),
        ..OpenOptions::default()
    }
}

fn ids(checkpoint: &Checkpoint, text: &str) -> Vec<u32> {
    let encoding = checkpoint.tokenizer().encode(text, &Prefix::None);
    encoding.unwrap().ids
}

#[test]
fn words_are_cut_by_the_name_in_the_file_or_the_one_that_is_given() {
    let (expected, text) = (expected("pre-tekken"), "text");
    let text = expected[text].as_str().unwrap();
    let named = data("cases").join("pre-tekken").join("pre-tekken.gguf");
    let checkpoint = Checkpoint::open(&named).unwrap();
    assert_eq!(serde_json::json!(ids(&checkpoint, text)), expected["ids"]);
    // The same vocabulary in a file that does not say how.
    let unnamed = data("cases").join("pre-missing").join("pre-None.gguf");
    let message = refusal(&unnamed, &OpenOptions::default());
    assert!(
        message.contains("no tokenizer.ggml.pre")
            && message.contains("--pre-tokenizer NAME: default,"),
        "{message}"
    );
    let given = Checkpoint::open_with(&unnamed, &cutting("tekken")).unwrap();
    assert_eq!(ids(&given, text), ids(&checkpoint, text));
    assert!(given.notes().is_empty());
    let other = Checkpoint::open_with(&unnamed, &cutting("gpt-2")).unwrap();
    assert_ne!(ids(&other, text), ids(&checkpoint, text));
    let message = refusal(&unnamed, &cutting("tekkenn"));
    assert!(message.contains("tekkenn is not supported"), "{message}");
    // What is asked for goes before what the file says, with a note.
    let against = Checkpoint::open_with(&named, &cutting("gpt-2")).unwrap();
    assert_eq!(ids(&against, text), ids(&other, text));
    assert!(
        against.notes()[0].contains("the file names tekken"),
        "{:?}",
        against.notes()
    );
}

#[test]
fn a_name_is_refused_where_words_are_not_cut_by_name() {
    let message = refusal(&data("tiny").join("tied"), &cutting("tekken"));
    assert!(
        message.contains("--pre-tokenizer tekken is for GGUF files"),
        "{message}"
    );
    let pieces = data("tiny").join("head-dim-f16").join("model.gguf");
    let message = refusal(&pieces, &cutting("tekken"));
    assert!(message.contains("of the kind llama"), "{message}");
}

#[test]
fn iq4_nl_is_dequantised_as_by_the_gguf_package() {
    let path = data("cases").join("iq4_nl").join("iq4_nl.gguf");
    let checkpoint = Checkpoint::open(&path).unwrap();
    let mut quantised = 0;
    let names = [
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("blk.0.ffn_up.weight", "model.layers.0.mlp.up_proj.weight"),
        (
            "blk.1.ffn_down.weight",
            "model.layers.1.mlp.down_proj.weight",
        ),
        (
            "blk.1.attn_v.weight",
            "model.layers.1.self_attn.v_proj.weight",
        ),
        (
            "blk.0.attn_output.weight",
            "model.layers.0.self_attn.o_proj.weight",
        ),
        ("output.weight", "lm_head.weight"),
    ];
    for (in_file, name) in names {
        let expected = &expected("iq4_nl")[in_file];
        let stored = checkpoint.stored_type(name).unwrap();
        assert_eq!(expected["type"], stored.name());
        quantised += usize::from(stored == StoredType::Iq4Nl);
        let values: Vec<f32> = (checkpoint.tensor_f32(name).unwrap().flatten_all().unwrap())
            .to_vec1()
            .unwrap();
        let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
        let squares: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum();
        assert!(
            (sum - expected["sum"].as_f64().unwrap()).abs() < 1e-6,
            "{name}"
        );
        assert!(
            (squares - expected["squares"].as_f64().unwrap()).abs() < 1e-6,
            "{name}"
        );
        let last: Vec<f32> = serde_json::from_value(expected["last"].clone()).unwrap();
        assert_eq!(values[values.len() - last.len()..], last, "{name}");
        // As a matrix of candle's, which does not know the type, it is in f32.
        let matrix = checkpoint.quantized(name).unwrap();
        let matrix = matrix.dequantize(&candle_core::Device::Cpu).unwrap();
        assert_eq!(
            matrix.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            values
        );
    }
    assert!(quantised > 0);
    for kind in [
        lookback_model::WeightsKind::F32,
        lookback_model::WeightsKind::Quantized,
    ] {
        let model = load(&path, kind);
        assert!(
            model.weights_description().contains("IQ4_NL"),
            "{}",
            model.weights_description()
        );
        model.prefill(&[1, 2, 3], &Default::default()).unwrap();
    }
}

/// Experts whose blocks and scales are two tensors each.
#[test]
fn experts_of_4_bit_floats_in_a_folder_give_the_logits_of_transformers() {
    let folder = data("wild").join("mxfp4");
    let expected = crate::common::Tensors::open(&folder.join("expected.safetensors"));
    let model = load(&folder, lookback_model::WeightsKind::F32);
    let options = lookback_model::PrefillOptions {
        logits: lookback_model::Logits::All,
        ..Default::default()
    };
    let ids = expected.ids("input_ids");
    let logits = model.prefill(&ids, &options).unwrap().logits;
    let off = crate::common::max_difference(&logits, &expected.get("logits"));
    println!("off by up to {off:.2e}");
    assert!(off < 1e-4, "{off}");
}
