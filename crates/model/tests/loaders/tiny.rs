//! Tiny checkpoints: a folder and its GGUF file are the same model.

use lookback_model::checkpoint::Checkpoint;
use lookback_model::spec::{Rope, RopeScaling, Spec};

use crate::common::data;

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

pub(crate) fn folder(name: &str) -> Checkpoint {
    Checkpoint::open(&data("tiny").join(name)).expect("a good folder")
}

pub(crate) fn gguf(name: &str) -> Checkpoint {
    Checkpoint::open(&data("tiny").join(name).join("model.gguf")).expect("a good GGUF file")
}

fn tensor_names(spec: &Spec) -> Vec<String> {
    let layer = [
        "input_layernorm",
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
        "self_attn.o_proj",
        "post_attention_layernorm",
        "mlp.gate_proj",
        "mlp.up_proj",
        "mlp.down_proj",
    ];
    let mut names = vec!["model.embed_tokens".to_owned(), "model.norm".to_owned()];
    names.extend((!spec.tied()).then(|| "lm_head".to_owned()));
    for index in 0..spec.layers.len() {
        names.extend(layer.map(|name| format!("model.layers.{index}.{name}")));
    }
    names.iter().map(|name| format!("{name}.weight")).collect()
}

/// The rotary embedding of all layers.
fn rope(spec: &Spec) -> &Rope {
    let mut ropes = spec
        .layers
        .iter()
        .map(|layer| layer.attention.rope.as_ref());
    let first = ropes.next().flatten().expect("a rotary embedding");
    assert!(ropes.all(|rope| rope == Some(first)));
    first
}

fn values(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    let tensor = checkpoint.tensor_f32(name).expect("a good tensor");
    assert_eq!(tensor.dims(), checkpoint.shape(name).unwrap());
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn every_weight_is_the_same_in_both_formats() {
    for name in BOTH_FORMATS {
        let (folder, gguf) = (folder(name), gguf(name));
        for tensor in tensor_names(folder.spec()) {
            assert_eq!(
                folder.shape(&tensor).unwrap(),
                gguf.shape(&tensor).unwrap(),
                "{name}: {tensor}"
            );
            // Bit for bit: rows that GGUF interleaves are moved back whole.
            assert!(
                values(&folder, &tensor) == values(&gguf, &tensor),
                "{name}: {tensor}"
            );
        }
    }
}

#[test]
fn configurations_are_the_same_in_both_formats() {
    for name in BOTH_FORMATS {
        let (folder, gguf) = (folder(name), gguf(name));
        let neutral = |spec: &Spec| {
            let mut spec = spec.clone();
            for layer in &mut spec.layers {
                layer.attention.rope = layer.attention.rope.take().map(|rope| Rope {
                    scaling: RopeScaling::None,
                    ..rope
                });
            }
            spec
        };
        assert_eq!(neutral(folder.spec()), neutral(gguf.spec()), "{name}");
        let pairs = rope(folder.spec()).frequencies(1);
        for (a, b) in pairs.iter().zip(rope(gguf.spec()).frequencies(1)) {
            // GGUF stores Llama 3's factors in f32.
            assert!((a - b).abs() <= 2.0 * f32::EPSILON * a, "{name}: {a} {b}");
        }
        assert_eq!(folder.stop_tokens(), gguf.stop_tokens(), "{name}");
        assert_eq!(folder.chat_template(), gguf.chat_template(), "{name}");
    }
}

#[test]
fn configurations_say_what_the_script_asked_for() {
    let spec = |name| folder(name).spec().clone();
    let tied = spec("tied");
    let d_ff = tied.layers[0].feed_forward.unwrap().d_ff;
    assert_eq!((tied.d, tied.layers.len(), d_ff), (16, 2, 24));
    assert_eq!((tied.heads, tied.kv_heads, tied.head_dim), (4, 4, 4));
    let eps = tied.final_norm.unwrap().eps;
    assert_eq!((tied.context_length, eps), (256, 1e-5));
    assert!(tied.tied() && !spec("untied-bf16").tied());
    assert_eq!(spec("grouped").kv_heads, 2);
    let wide = spec("head-dim-f16");
    assert_eq!(
        (wide.head_dim, wide.d / wide.heads, wide.kv_heads),
        (8, 4, 1)
    );
    assert_eq!(
        rope(&spec("rope-linear")).scaling,
        RopeScaling::Linear { factor: 4.0 }
    );
    assert_eq!(
        *rope(&spec("rope-llama3")),
        Rope {
            theta: 500.0,
            dims: 16,
            scaling: RopeScaling::Llama3 {
                factor: 8.0,
                low_freq_factor: 1.0,
                high_freq_factor: 4.0,
                original_context_length: 32,
            },
        }
    );
}

/// Frequencies that transformers computes for the two scaled checkpoints.
#[test]
fn scaled_frequencies_are_those_of_transformers() {
    let check = |name: &str, expected: &[f32]| {
        let checkpoint = folder(name);
        let found = rope(checkpoint.spec()).frequencies(1);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() <= 1e-6 * expected,
                "{name}: {found} {expected}"
            );
        }
    };
    check("rope-linear", &[0.25, 0.0025]);
    check("rope-llama3", &LLAMA3_FREQUENCIES);
}

const LLAMA3_FREQUENCIES: [f32; 8] = [
    1.0,
    0.237_489_69,
    0.031_185_457,
    0.012_156_156,
    0.005_590_17,
    0.002_570_714,
    0.001_182_177,
    0.000_543_639_8,
];

#[test]
fn quantised_rows_and_blocks_agree_with_the_whole() {
    for name in ["quantised", "k-quants", "tied", "head-dim-f16"] {
        let checkpoint = gguf(name);
        for tensor in tensor_names(checkpoint.spec()) {
            if checkpoint.shape(&tensor).unwrap().len() != 2 {
                continue;
            }
            let whole = checkpoint.tensor_f32(&tensor).unwrap();
            let rows = checkpoint.shape(&tensor).unwrap()[0] as u32;
            let ids = [rows - 1, 0, rows / 2, 0];
            let picked = checkpoint.rows_f32(&tensor, &ids).unwrap();
            let expected: Vec<Vec<f32>> = ids
                .iter()
                .map(|&id| whole.get(id as usize).unwrap().to_vec1().unwrap())
                .collect();
            assert_eq!(
                picked.to_vec2::<f32>().unwrap(),
                expected,
                "{name}: {tensor}"
            );
            let blocks = checkpoint.quantized(&tensor).unwrap();
            let stored = checkpoint.stored_type(&tensor).unwrap();
            assert_eq!(Some(blocks.dtype()), stored.candle());
            let dequantised = blocks.dequantize(&candle_core::Device::Cpu).unwrap();
            assert_eq!(
                dequantised.to_vec2::<f32>().unwrap(),
                whole.to_vec2::<f32>().unwrap(),
                "{name}: {tensor}"
            );
        }
    }
}

#[test]
fn rows_and_tensors_that_are_not_there_are_refused() {
    let checkpoint = folder("tied");
    let vocab = checkpoint.spec().vocab as u32;
    let error = checkpoint.rows_f32("model.embed_tokens.weight", &[0, vocab]);
    let message = error.unwrap_err().to_string();
    assert_eq!(
        message,
        format!("row {vocab} was asked for, but model.embed_tokens.weight has {vocab} rows")
    );
    let message = checkpoint
        .tensor_f32("lm_head.weight")
        .unwrap_err()
        .to_string();
    assert_eq!(message, "the checkpoint has no tensor lm_head.weight");
    assert!(checkpoint.quantized("x").is_err() && checkpoint.shape("x").is_err());
}

#[test]
fn provenance_names_the_files_and_their_digest() {
    let one = gguf("tied");
    let provenance = one.provenance();
    assert_eq!(provenance.name(), "Tiny tied");
    assert_eq!(provenance.weight_files().count(), 1);
    let digest = provenance.sha256().unwrap();
    assert!(digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()));
    let sharded = folder("sharded");
    assert_eq!(sharded.provenance().name(), "sharded");
    assert_eq!(sharded.provenance().weight_files().count(), 3);
    assert_ne!(sharded.provenance().sha256().unwrap(), digest);
}
