//! Configurations that contradict themselves, or ask for what is not implemented, in both formats.

use lookback_model::checkpoint::Checkpoint;
use lookback_model::spec::Rope;
use serde_json::{Value, json};

use crate::common::data;
use crate::gguf_bytes::{Entry, llama};

/// The rotary embedding of the first layer.
fn rope(checkpoint: &Checkpoint) -> &Rope {
    let rope = checkpoint.spec().layers[0].attention.rope.as_ref();
    rope.expect("a rotary embedding")
}

/// The message with which a folder is refused whose config.json has `key` set to `value`.
fn refusal(key: &str, value: Value) -> String {
    match open(key, value) {
        Ok(_) => panic!("{key} was ignored"),
        Err(message) => message,
    }
}

fn open(key: &str, value: Value) -> Result<Checkpoint, String> {
    open_with(|config| {
        config.insert(key.to_owned(), value);
    })
}

/// A copy of the folder `tied` with its config.json changed.
fn open_with(
    change: impl FnOnce(&mut serde_json::Map<String, Value>),
) -> Result<Checkpoint, String> {
    let source = data("tiny").join("tied");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in [
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ] {
        std::fs::copy(source.join(file), folder.path().join(file)).expect("room for a copy");
    }
    let text = std::fs::read_to_string(source.join("config.json")).expect("config.json");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    change(config.as_object_mut().expect("an object"));
    let text = serde_json::to_string(&config).expect("JSON");
    std::fs::write(folder.path().join("config.json"), text).expect("room for a copy");
    Checkpoint::open(folder.path()).map_err(|error| error.to_string())
}

#[test]
fn mathematics_that_is_not_implemented_is_refused_by_name() {
    let cases = [
        ("sliding_window", json!(4096)),
        ("use_sliding_window", json!(true)),
        (
            "layer_types",
            json!(["full_attention", "sliding_attention"]),
        ),
        ("hidden_act", json!("mish")),
        ("partial_rotary_factor", json!(0.5)),
        ("rope_interleaved", json!(true)),
        (
            "quantization_config",
            json!({"quant_method": "gptq", "bits": 4}),
        ),
        ("logit_scale", json!(0.0625)),
        ("logits_scaling", json!(8.0)),
        ("embedding_multiplier", json!(12.0)),
        ("residual_multiplier", json!(0.22)),
        ("attention_multiplier", json!(0.0078125)),
        ("final_logit_softcapping", json!(30.0)),
        ("attn_logit_softcapping", json!(50.0)),
        ("query_pre_attn_scalar", json!(256)),
        ("num_local_experts", json!(8)),
        ("use_qk_norm", json!(true)),
        ("clip_qkv", json!(8.0)),
        ("no_rope_layers", json!([1, 0])),
        ("is_encoder_decoder", json!(true)),
        ("pruned_heads", json!({"0": [1]})),
        ("architectures", json!(["LlamaForSequenceClassification"])),
    ];
    for (key, value) in cases {
        let message = refusal(key, value);
        assert!(
            message.contains(key) && message.contains("not supported"),
            "{message}"
        );
    }
}

#[test]
fn their_neutral_values_are_accepted() {
    let cases = [
        ("attention_bias", json!(false)),
        ("sliding_window", Value::Null),
        ("max_window_layers", json!(28)),
        ("layer_types", json!(["full_attention", "full_attention"])),
        ("hidden_act", json!("swish")),
        ("hidden_act", json!("gelu")),
        ("pretraining_tp", json!(2)),
        ("partial_rotary_factor", json!(1)),
        ("quantization_config", Value::Null),
        ("rope_interleaved", json!(false)),
        ("architectures", Value::Null),
        ("pruned_heads", json!({})),
        ("unsloth_fixed", json!(true)),
        ("some_setting_that_is_off", Value::Null),
        ("torch_dtype", json!("float32")),
    ];
    for (key, value) in cases {
        if let Err(message) = open(key, value) {
            panic!("{message}");
        }
    }
}

#[test]
fn settings_that_nobody_knows_are_refused_by_name() {
    let message = refusal("attention_twist", json!(0.5));
    assert!(
        message.contains("attention_twist = 0.5 is unknown"),
        "{message}"
    );
    let message = refusal("long_list", json!(vec![1.5; 10_000]));
    assert!(
        message.contains("long_list") && message.len() < 400,
        "{message}"
    );
}

#[test]
fn rotary_scalings_that_are_not_implemented_are_refused_by_name() {
    let scaled = |parameters: Value| {
        open_with(|config| {
            config.insert("rope_parameters".into(), parameters);
        })
        .err()
        .expect("a refusal")
    };
    for kind in ["proportional", "mrope"] {
        let message = scaled(json!({"rope_type": kind, "rope_theta": 1e4, "factor": 2.0}));
        assert!(
            message.contains("rope_type") && message.contains(kind),
            "{message}"
        );
        assert!(
            message.contains("default, linear, dynamic, yarn, longrope or llama3"),
            "{message}"
        );
    }
    let message = scaled(json!({"rope_type": "linear", "rope_theta": 1e4}));
    assert!(message.contains("no rope_parameters.factor"), "{message}");
    for factor in [json!(0), json!(-1), json!("2")] {
        let message = scaled(json!({"rope_type": "linear", "factor": factor}));
        assert!(
            message.contains("rope_parameters.factor") && message.contains("positive"),
            "{message}"
        );
    }
    let message = scaled(json!({"rope_type": "default", "attention_factor": 2.0}));
    assert!(
        message.contains("rope_parameters.attention_factor"),
        "{message}"
    );
    let message = scaled(json!({"rope_type": "default", "partial_rotary_factor": 0.25}));
    assert!(message.contains("partial_rotary_factor"), "{message}");
    let message = scaled(json!({"full_attention": {"rope_type": "default"}}));
    assert!(
        message.contains("rope_parameters.full_attention"),
        "{message}"
    );
    let message = scaled(json!({
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 1.0,
        "original_max_position_embeddings": 32
    }));
    assert!(message.contains("high_freq_factor"), "{message}");
    let message = refusal("rope_scaling", json!({"type": "linear", "factor": 2.0}));
    assert!(
        message.contains("both rope_scaling and rope_parameters"),
        "{message}"
    );
    let message = refusal("rope_theta", json!(5e5));
    assert!(message.contains("rope_theta"), "{message}");
}

#[test]
fn older_and_newer_ways_to_scale_are_the_same() {
    let old = open_with(|config| {
        config.remove("rope_parameters");
        config.insert("rope_theta".into(), json!(500));
        config.insert(
            "rope_scaling".into(),
            json!({"type": "linear", "factor": 2}),
        );
    });
    let new = open_with(|config| {
        let parameters = json!({"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0});
        config.insert("rope_parameters".into(), parameters);
    });
    assert_eq!(rope(&old.unwrap()), rope(&new.unwrap()));
    let none = open_with(|config| {
        config.remove("rope_parameters");
    });
    assert_eq!(rope(&none.unwrap()).theta, 10_000.0);
}

#[test]
fn sizes_must_make_sense() {
    for value in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("16"),
        json!(1_u64 << 40),
    ] {
        for key in [
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "vocab_size",
            "head_dim",
        ] {
            let message = refusal(key, value.clone());
            assert!(
                message.contains(key) && message.contains("whole number"),
                "{message}"
            );
        }
    }
    let cases = [
        (
            "num_key_value_heads",
            json!(3),
            "a divisor of the 4 query heads",
        ),
        (
            "num_key_value_heads",
            json!(8),
            "a divisor of the 4 query heads",
        ),
        ("head_dim", json!(3), "even"),
        ("rms_norm_eps", json!(0), "positive"),
        ("tie_word_embeddings", json!("yes"), "true or false"),
        ("num_hidden_layers", json!(3), "no tensor model.layers.2."),
        (
            "num_hidden_layers",
            json!(4_000_000_000_u32),
            "at most 10000",
        ),
        (
            "num_hidden_layers",
            json!(1),
            "has a tensor model.layers.1.",
        ),
        ("hidden_size", json!(32), "the configuration asks for"),
        (
            "vocab_size",
            json!(4_000_000_000_u32),
            "the configuration asks for",
        ),
        ("intermediate_size", json!(25), "the configuration asks for"),
        (
            "tie_word_embeddings",
            json!(false),
            "no tensor lm_head.weight",
        ),
    ];
    for (key, value, expected) in cases {
        let message = refusal(key, value);
        assert!(message.contains(expected), "{key}: {message}");
    }
    for key in [
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
    ] {
        let missing = open_with(|config| {
            config.remove(key);
        });
        assert!(missing.err().unwrap().contains(&format!("has no {key}")));
    }
}

#[test]
fn other_architectures_are_refused_with_those_that_are_there() {
    for name in ["mamba", "t5", ""] {
        let message = refusal("model_type", json!(name));
        assert!(
            message.contains(name) && message.contains("supported are llama, mistral"),
            "{message}"
        );
    }
    let message = refusal("model_type", json!(5));
    assert!(message.contains("no model_type"), "{message}");
}

/// A Mistral of which the file does not say has a sliding window.
#[test]
fn mistral_must_say_that_it_has_no_window() {
    let silent = open("model_type", json!("mistral"));
    assert!(silent.err().unwrap().contains("no sliding_window"));
    let said = open_with(|config| {
        config.insert("model_type".into(), json!("mistral"));
        config.insert("sliding_window".into(), Value::Null);
    });
    assert!(said.is_ok());
}

#[test]
fn gguf_keys_that_change_the_mathematics_are_refused_by_name() {
    let cases = [
        ("llama.expert_used_count", Entry::U32(2)),
        ("llama.attention.sliding_window", Entry::U32(4096)),
        ("llama.attention.clamp_kqv", Entry::F32(8.0)),
        ("llama.attention.scale", Entry::F32(0.5)),
        ("llama.attention.causal", Entry::Bool(0)),
        ("llama.logit_scale", Entry::F32(0.5)),
        ("llama.residual_scale", Entry::F32(0.5)),
        ("llama.embedding_scale", Entry::F32(12.0)),
        ("llama.rope.dimension_count", Entry::U32(2)),
        ("llama.attention.value_length", Entry::U32(8)),
        ("llama.rope.scaling.type", Entry::Text("longrope")),
        ("llama.rope.scaling.attn_factor", Entry::F32(2.0)),
        ("llama.tensor_data_layout", Entry::Text("other")),
    ];
    for (key, entry) in cases {
        let mut file = llama();
        file.set(key, entry);
        let message = file.refusal();
        assert!(
            message.contains(key) && message.contains("not supported"),
            "{message}"
        );
    }
    let mut file = llama();
    file.set("llama.attention.twist", Entry::F32(1.0));
    assert!(
        file.refusal()
            .contains("llama.attention.twist = 1.0 is unknown")
    );
}

#[test]
fn a_gguf_file_with_experts_says_how_many_and_has_them() {
    let refusal = |count: u32, used: Option<u32>| {
        let mut file = llama();
        file.set("llama.expert_count", Entry::U32(count));
        if let Some(used) = used {
            file.set("llama.expert_used_count", Entry::U32(used));
        }
        file.refusal()
    };
    for (message, words) in [
        (refusal(8, None), "llama.expert_used_count"),
        (refusal(8, Some(9)), "at most expert_count, 8"),
        (refusal(100_000, Some(2)), "at most 4096"),
        (refusal(8, Some(2)), "blk.0.ffn_gate_inp.weight"),
    ] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn gguf_keys_that_leave_it_alone_are_accepted() {
    let cases = [
        ("llama.expert_count", Entry::U32(0)),
        ("llama.rope.dimension_count", Entry::U32(4)),
        ("llama.attention.key_length", Entry::U32(4)),
        ("llama.attention.value_length", Entry::U32(4)),
        ("llama.rope.scaling.type", Entry::Text("none")),
        ("llama.rope.scaling.finetuned", Entry::Bool(1)),
        ("llama.vocab_size", Entry::U32(6)),
        ("llama.attention.causal", Entry::Bool(1)),
        ("general.whatever", Entry::F32(f32::NAN)),
    ];
    for (key, entry) in cases {
        let mut file = llama();
        file.set(key, entry);
        assert!(file.open().is_ok(), "{key}");
    }
}

#[test]
fn gguf_sizes_must_make_sense() {
    let cases = [
        ("llama.block_count", Entry::U32(0), "whole number"),
        ("llama.block_count", Entry::Text("1"), "whole number"),
        ("llama.block_count", Entry::U32(u32::MAX), "at most 10000"),
        (
            "llama.attention.head_count",
            Entry::I32s(vec![2]),
            "an array of 1 I32 values",
        ),
        (
            "llama.attention.head_count",
            Entry::U32(3),
            "a divisor of 8",
        ),
        (
            "llama.attention.head_count_kv",
            Entry::U32(2),
            "asks for [8, 8]",
        ),
        ("llama.attention.key_length", Entry::U32(3), "even"),
        ("llama.embedding_length", Entry::U32(16), "asks for [6, 16]"),
        (
            "llama.vocab_size",
            Entry::U32(7),
            "the 6 rows of token_embd.weight",
        ),
        (
            "llama.attention.layer_norm_rms_epsilon",
            Entry::F32(f32::NAN),
            "positive",
        ),
        ("llama.rope.freq_base", Entry::F32(-1.0), "positive"),
        ("llama.context_length", Entry::F32(1.5), "whole number"),
    ];
    for (key, entry, expected) in cases {
        let mut file = llama();
        file.set(key, entry);
        let message = file.refusal();
        assert!(message.contains(expected), "{key}: {message}");
    }
    for key in [
        "llama.block_count",
        "llama.context_length",
        "llama.attention.head_count",
    ] {
        let mut file = llama();
        file.remove(key);
        assert!(file.refusal().contains(&format!("has no {key}")));
    }
}

#[test]
fn gguf_architectures_are_named() {
    let mut file = llama();
    file.set("general.architecture", Entry::Text("mamba"));
    let message = file.refusal();
    assert!(
        message.contains("mamba") && message.contains("supported are llama"),
        "{message}"
    );
    file.remove("general.architecture");
    assert!(file.refusal().contains("no general.architecture"));
}

#[test]
fn gguf_tensors_that_would_go_unused_are_refused_by_name() {
    for name in [
        "blk.0.attn_k.bias",
        "blk.1.attn_q.weight",
        "blk.0.ffn_gate_inp.weight",
        "cls.weight",
    ] {
        let mut file = llama();
        let mut extra = file.tensor("output_norm.weight").clone();
        extra.name = name.to_owned();
        file.tensors.push(extra);
        let message = file.refusal();
        assert!(
            message.contains(name) && message.contains("does not use"),
            "{message}"
        );
    }
    let mut file = llama();
    file.tensors
        .retain(|tensor| tensor.name != "blk.0.ffn_up.weight");
    assert!(file.refusal().contains("no tensor blk.0.ffn_up.weight"));
}

#[test]
fn gguf_rotary_factors_are_checked() {
    let with_factors = |factors: &[f32]| {
        let mut file = llama();
        let mut tensor = file.tensor("output_norm.weight").clone();
        tensor.name = "rope_freqs.weight".to_owned();
        tensor.dimensions = vec![factors.len() as u64];
        tensor.data = factors.iter().flat_map(|f| f.to_le_bytes()).collect();
        file.tensors.push(tensor);
        file
    };
    let good = with_factors(&[1.0, 8.0]).open().expect("good factors");
    assert_eq!(rope(&good).frequencies(1), [1.0, 0.01 / 8.0]);
    assert!(
        with_factors(&[1.0])
            .refusal()
            .contains("[1]; the configuration asks for [2]")
    );
    assert!(
        with_factors(&[1.0, 0.0])
            .refusal()
            .contains("must be positive")
    );
    assert!(
        with_factors(&[1.0, f32::NAN])
            .refusal()
            .contains("rope_freqs.weight holds NaN")
    );
    let mut both = with_factors(&[1.0, 8.0]);
    both.set("llama.rope.scaling.type", Entry::Text("linear"));
    both.set("llama.rope.scaling.factor", Entry::F32(2.0));
    assert!(both.refusal().contains("together with rope_freqs.weight"));
    let mut linear = llama();
    linear.set("llama.rope.scaling.type", Entry::Text("linear"));
    assert!(
        linear
            .refusal()
            .contains("has no llama.rope.scaling.factor")
    );
    linear.set("llama.rope.scaling.factor", Entry::F32(2.0));
    let linear = linear.open().expect("a factor");
    assert_eq!(rope(&linear).frequencies(1), [0.5, 0.005]);
}
