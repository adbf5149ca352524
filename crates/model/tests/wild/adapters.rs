//! LoRA adapters against the logits that PEFT computes with them.

use std::path::{Path, PathBuf};

use lookback_model::checkpoint::{Checkpoint, OpenOptions};
use lookback_model::{LoadOptions, Logits, Model, PrefillOptions, WeightsKind};
use ndarray::Array2;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Tensors, data, load, max_difference};
use crate::{copy, edit_json, refusal};

fn adapter(name: &str) -> PathBuf {
    data("wild").join(name)
}

fn logits(model: &Model, ids: &[u32]) -> Array2<f32> {
    let options = PrefillOptions {
        logits: Logits::All,
        ..PrefillOptions::default()
    };
    model.prefill(ids, &options).unwrap().logits
}

#[test]
fn adapters_give_the_logits_of_peft() {
    for name in ["lora-llama", "lora-gpt2"] {
        let model = load(&adapter(name), WeightsKind::F32);
        let expected = Tensors::open(&adapter(name).join("expected.safetensors"));
        let found = logits(&model, &expected.ids("input_ids"));
        let off = max_difference(&found, &expected.get("logits"));
        println!("{name}: off by up to {off:.2e}");
        assert!(off < 1e-4, "{name}: {off}");
        let [note] = model.notes() else {
            panic!("{:?}", model.notes());
        };
        assert!(
            note.contains("LoRA adapter (rank") && note.contains("is merged"),
            "{note}"
        );
        assert_eq!(model.checkpoint().provenance().name(), name);
        // In the other form too, whose numbers are near.
        let held = load(&adapter(name), WeightsKind::Quantized);
        let off = max_difference(&logits(&held, &expected.ids("input_ids")), &found);
        assert!(off < 1.0, "{name}: {off}");
    }
}

/// An adapter's copy, which does not find its model, and where that is.
fn away() -> (TempDir, OpenOptions) {
    let folder = copy(&adapter("lora-llama"));
    let base = OpenOptions {
        base: Some(data("tiny").join("grouped")),
        ..OpenOptions::default()
    };
    (folder, base)
}

#[test]
fn the_model_may_be_named() {
    let (folder, base) = away();
    let checkpoint = Checkpoint::open_with(folder.path(), &base).unwrap();
    let named = Model::from_checkpoint(checkpoint, &LoadOptions::default()).unwrap();
    let own = load(&adapter("lora-llama"), WeightsKind::F32);
    assert_eq!(logits(&named, &[1, 2, 3]), logits(&own, &[1, 2, 3]));
    let files: Vec<_> = named.checkpoint().provenance().weight_files().collect();
    assert_eq!(files.len(), 2);
    assert!(files[1].ends_with("adapter_model.safetensors"), "{files:?}");
}

#[test]
fn an_adapter_without_its_model_says_what_it_is_and_needs() {
    let message = refusal(&data("cases").join("lora-adapter"), &OpenOptions::default());
    for part in [
        "is a LoRA adapter (PEFT)",
        "org/base, which is not here",
        "--base hf:org/base",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let folder = Some("org/base".to_owned());
    assert_eq!(
        Checkpoint::base_of_adapter(&data("cases").join("lora-adapter")),
        folder
    );
    assert_eq!(
        Checkpoint::base_of_adapter(&data("tiny").join("tied")),
        None
    );
    // Half an update cannot be merged.
    let (_, base) = away();
    let message = refusal(&data("cases").join("lora-adapter"), &base);
    assert!(
        message.contains("model.layers.0.self_attn.q_proj") && message.contains("not the other"),
        "{message}"
    );
}

#[test]
fn a_base_is_for_adapters_and_is_a_model() {
    let (folder, base) = away();
    let whole = refusal(&data("tiny").join("tied"), &base);
    assert!(whole.contains("--base is for adapters"), "{whole}");
    let gguf = refusal(&data("tiny").join("tied").join("model.gguf"), &base);
    assert!(gguf.contains("--base is for adapters"), "{gguf}");
    for wrong in [
        adapter("lora-llama"),
        data("tiny").join("tied").join("model.gguf"),
    ] {
        let base = OpenOptions {
            base: Some(wrong),
            ..OpenOptions::default()
        };
        let message = refusal(folder.path(), &base);
        assert!(message.contains("no folder of a whole model"), "{message}");
    }
}

#[test]
fn what_cannot_be_merged_is_refused_by_name() {
    let cases = [
        ("peft_type", json!("IA3")),
        ("use_dora", json!(true)),
        ("bias", json!("all")),
        ("lora_bias", json!(true)),
        ("modules_to_save", json!(["lm_head"])),
        ("layer_replication", json!([[0, 1], [0, 1]])),
        ("trainable_token_indices", json!([1, 2])),
        ("target_parameters", json!(["experts.gate_up_proj"])),
        ("alora_invocation_tokens", json!([7])),
        ("init_lora_weights", json!("pissa_niter_4")),
        ("alpha_pattern", json!({"layers.*": 2})),
    ];
    for (key, value) in cases {
        let (folder, base) = away();
        edit_json(&folder.path().join("adapter_config.json"), |config| {
            config[key] = value
        });
        let message = refusal(folder.path(), &base);
        assert!(
            message.contains(key) && message.contains("not supported"),
            "{message}"
        );
    }
    let (folder, mut base) = away();
    edit_json(&folder.path().join("adapter_config.json"), |config| {
        config["velora_config"] = json!({"rank": 1});
    });
    let message = refusal(folder.path(), &base);
    assert!(message.contains("--accept-key velora_config"), "{message}");
    base.accept_keys = vec!["velora_config".to_owned()];
    let opened = Checkpoint::open_with(folder.path(), &base).unwrap();
    assert!(
        opened.notes()[0].contains("passed over"),
        "{:?}",
        opened.notes()
    );
}

/// Writes the adapter's tensors again, each under the name that `rename` gives it.
fn rename(folder: &Path, rename: impl Fn(&str) -> String) {
    let path = folder.join("adapter_model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let renamed: Vec<(String, TensorView)> = tensors
        .iter()
        .map(|(name, tensor)| (rename(name), tensor))
        .collect();
    safetensors::serialize_to_file(renamed, None, &path).unwrap();
}

/// Leaves of the adapter's tensors those whose names have `part`.
fn keep(folder: &Path, part: &str) {
    let path = folder.join("adapter_model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let kept: Vec<(&str, TensorView)> = (tensors.iter())
        .filter(|(name, _)| name.contains(part))
        .collect();
    assert_eq!(kept.len(), 2);
    safetensors::serialize_to_file(kept, None, &path).unwrap();
}

#[test]
fn tensors_that_fit_nothing_are_refused_by_name() {
    type Rename = fn(&str) -> String;
    let cases: [(Rename, &str); 4] = [
        (
            |name| name.replace("down_proj", "side_proj"),
            "side_proj cannot be merged: the model has no such matrix",
        ),
        (
            |name| {
                name.replace("q_proj", "o_proj")
                    .replace("down_proj", "up_proj")
            },
            "up_proj cannot be merged: it is of [",
        ),
        (
            |name| name.replace("lora_A.weight", "lora_magnitude_vector"),
            "no part of LoRA's two matrices",
        ),
        (
            |name| name.replace(".lora_B", ".modules_to_save"),
            "no part of LoRA's two matrices",
        ),
    ];
    for (change, expected) in cases {
        let (folder, base) = away();
        rename(folder.path(), change);
        let message = refusal(folder.path(), &base);
        assert!(message.contains(expected), "{message}");
    }
    // Older files have the adapter's own name in them.
    let (folder, base) = away();
    rename(folder.path(), |name| {
        name.replace(".weight", ".default.weight")
    });
    Checkpoint::open_with(folder.path(), &base).unwrap();
}

#[test]
fn tied_embeddings_cannot_be_adapted() {
    let folder = copy(&adapter("lora-gpt2"));
    keep(folder.path(), ".wte.");
    let base = OpenOptions {
        base: Some(data("families").join("gpt2-tied")),
        ..OpenOptions::default()
    };
    let message = refusal(folder.path(), &base);
    assert!(
        message.contains("transformer.wte cannot be merged"),
        "{message}"
    );
}

/// Writes the adapter's tensors again, `more` of them under a second name each.
fn add(folder: &Path, more: impl Fn(&str) -> Option<String>) {
    let path = folder.join("adapter_model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let twice = tensors.iter().flat_map(|(name, tensor)| {
        let second = more(name).map(|second| (second, tensor.clone()));
        [Some((name.to_owned(), tensor)), second]
    });
    let all: Vec<(String, TensorView)> = twice.flatten().collect();
    safetensors::serialize_to_file(all, None, &path).unwrap();
}

#[test]
fn a_matrix_that_is_there_twice_is_refused() {
    let (folder, base) = away();
    add(folder.path(), |name| {
        name.contains("layers.0.self_attn.q_proj")
            .then(|| name.replace(".weight", ".default.weight"))
    });
    let message = refusal(folder.path(), &base);
    assert!(message.contains("is there twice"), "{message}");
    let (folder, base) = away();
    add(folder.path(), |name| {
        name.contains("layers.0.self_attn.q_proj")
            .then(|| name.replace("model.layers", "layers"))
    });
    let message = refusal(folder.path(), &base);
    assert!(message.contains("under two names"), "{message}");
}

/// Where the file holds a copy of the head, which a tied model does not read, the update would be lost with it.
#[test]
fn a_tied_head_cannot_be_adapted_alone() {
    let base = copy(&data("tiny").join("tied"));
    let path = base.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let table = tensors.tensor("model.embed_tokens.weight").unwrap();
    let (outputs, inputs) = (table.shape()[0], table.shape()[1]);
    let mut all: Vec<(String, TensorView)> = tensors
        .iter()
        .map(|(name, tensor)| (name.to_owned(), tensor))
        .collect();
    all.push(("lm_head.weight".to_owned(), table.clone()));
    safetensors::serialize_to_file(all, None, &path).unwrap();
    Checkpoint::open(base.path()).unwrap();
    let folder = copy(&adapter("lora-llama"));
    let ones = vec![1_u8; 4 * outputs.max(inputs)];
    let view = |shape: [usize; 2]| {
        let bytes = &ones[..4 * shape[0] * shape[1]];
        TensorView::new(safetensors::Dtype::F32, shape.to_vec(), bytes).unwrap()
    };
    let pair = [
        ("base_model.model.lm_head.lora_A.weight", view([1, inputs])),
        ("base_model.model.lm_head.lora_B.weight", view([outputs, 1])),
    ];
    let path = folder.path().join("adapter_model.safetensors");
    safetensors::serialize_to_file(pair, None, &path).unwrap();
    let options = OpenOptions {
        base: Some(base.path().to_owned()),
        ..OpenOptions::default()
    };
    let message = refusal(folder.path(), &options);
    assert!(message.contains("cannot be adapted alone"), "{message}");
}

#[test]
fn what_is_no_matrix_is_refused_by_name() {
    let (folder, base) = away();
    let bytes = [0_u8; 16];
    let view = TensorView::new(safetensors::Dtype::F32, vec![1, 2, 2], &bytes).unwrap();
    let pair = ["lora_A", "lora_B"].map(|side| {
        let name = format!("base_model.model.model.layers.0.self_attn.q_proj.{side}.weight");
        (name, view.clone())
    });
    let path = folder.path().join("adapter_model.safetensors");
    safetensors::serialize_to_file(pair, None, &path).unwrap();
    let message = refusal(folder.path(), &base);
    assert!(message.contains("[1, 2, 2], and no matrix"), "{message}");
}

#[test]
fn a_model_that_is_not_here_is_looked_for_by_its_name_alone() {
    for (base, fetch) in [
        ("org/Some-Model", Some("--base hf:org/Some-Model")),
        (
            "https://example.com/org/Some-Model/",
            Some("--base hf:org/Some-Model"),
        ),
        ("/home/someone/models/some-model", None),
    ] {
        let (folder, _) = away();
        edit_json(&folder.path().join("adapter_config.json"), |config| {
            config["base_model_name_or_path"] = json!(base);
        });
        let message = refusal(folder.path(), &OpenOptions::default());
        assert_eq!(message.contains("hf:"), fetch.is_some(), "{message}");
        assert!(
            message.contains(fetch.unwrap_or("with --base")),
            "{message}"
        );
    }
}

#[test]
fn a_scale_may_be_a_modules_own() {
    let plain: Value = serde_json::from_slice(
        &std::fs::read(adapter("lora-llama").join("adapter_config.json")).unwrap(),
    )
    .unwrap();
    assert_eq!(
        plain["alpha_pattern"],
        json!({"layers.1.mlp.down_proj": 5.0})
    );
    let (folder, base) = away();
    edit_json(&folder.path().join("adapter_config.json"), |config| {
        config["alpha_pattern"] = json!({});
    });
    let weights = |checkpoint: Checkpoint, layer| {
        let name = format!("model.layers.{layer}.mlp.down_proj.weight");
        checkpoint
            .tensor_f32(&name)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
    };
    for (layer, same) in [(0, true), (1, false)] {
        let changed = Checkpoint::open_with(folder.path(), &base).unwrap();
        let own = Checkpoint::open(&adapter("lora-llama")).unwrap();
        assert_eq!(weights(changed, layer) == weights(own, layer), same);
    }
}
