//! The config.json of well-known checkpoints, key for key: each is read, and says what is known of it.

mod common;

use common::data;
use lookback_model::spec::{Activation, NormKind, QkNorm, Shares, Span, Spec};
use serde_json::{Value, json};

fn spec(name: &str) -> Spec {
    let path = data("configs").join(format!("{name}.json"));
    Spec::of_config(&path).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn published_configurations_are_read() {
    // layers, heads, key/value heads, d_k, d, d_ff
    let expected = [
        ("all-minilm-l6-v2", [6, 12, 12, 32, 384, 1536]),
        ("bert-base-uncased", [12, 12, 12, 64, 768, 3072]),
        ("bloom-560m", [24, 16, 16, 64, 1024, 4096]),
        ("distilbert-base-uncased", [6, 12, 12, 64, 768, 3072]),
        ("falcon-7b", [32, 71, 1, 64, 4544, 18176]),
        ("falcon-rw-1b", [24, 32, 32, 64, 2048, 8192]),
        ("gemma-2-2b", [26, 8, 4, 256, 2304, 9216]),
        ("gemma-3-270m", [18, 4, 1, 256, 640, 2048]),
        ("gpt2", [12, 12, 12, 64, 768, 3072]),
        ("gpt-oss-20b", [24, 64, 8, 64, 2880, 2880]),
        ("granite-3.1-2b-base", [40, 32, 8, 64, 2048, 8192]),
        ("llama-3.2-1b", [16, 32, 8, 64, 2048, 8192]),
        ("mistral-7b-v0.1", [32, 32, 8, 128, 4096, 14336]),
        ("mixtral-8x7b-v0.1", [32, 32, 8, 128, 4096, 14336]),
        ("modernbert-base", [22, 12, 12, 64, 768, 1152]),
        ("olmo-2-0425-1b", [16, 16, 16, 128, 2048, 8192]),
        ("opt-125m", [12, 12, 12, 64, 768, 3072]),
        ("phi-3-mini-4k-instruct", [32, 32, 32, 96, 3072, 8192]),
        ("phi-4-mini-instruct", [32, 24, 8, 128, 3072, 8192]),
        ("pythia-70m", [6, 8, 8, 64, 512, 2048]),
        ("qwen2.5-0.5b", [24, 14, 2, 64, 896, 4864]),
        ("qwen3-0.6b", [28, 16, 8, 128, 1024, 3072]),
        ("qwen3-30b-a3b", [48, 32, 4, 128, 2048, 768]),
        ("roberta-base", [12, 12, 12, 64, 768, 3072]),
        ("smollm3-3b", [36, 16, 4, 128, 2048, 11008]),
    ];
    for (name, sizes) in expected {
        let spec = spec(name);
        let d_ff = spec.layers[0].feed_forward.unwrap().d_ff;
        let found = [
            spec.layers.len(),
            spec.heads,
            spec.kv_heads,
            spec.head_dim,
            spec.d,
            d_ff,
        ];
        assert_eq!(found, sizes, "{name}");
    }
}

#[test]
fn windows_are_computed_where_they_are_smaller_than_the_context() {
    let windows = |name: &str| -> Vec<Option<usize>> {
        let window = |span: Span| match span {
            Span::CausalWindow { window } => Some(window),
            _ => None,
        };
        let spec = spec(name);
        spec.layers
            .iter()
            .map(|layer| window(layer.attention.span))
            .collect()
    };
    assert!(
        windows("mistral-7b-v0.1")
            .iter()
            .all(|&window| window == Some(4096))
    );
    assert_eq!(windows("gemma-2-2b")[..3], [Some(4096), None, Some(4096)]);
    assert_eq!(windows("gemma-3-270m")[4..7], [Some(512), None, Some(512)]);
    assert!(windows("qwen2.5-0.5b").iter().all(Option::is_none));
    assert_eq!(windows("phi-3-mini-4k-instruct")[31], Some(2047));
    assert_eq!(windows("phi-4-mini-instruct")[31], None);
}

#[test]
fn experts_are_as_many_as_the_configuration_says() {
    for (name, count, used) in [
        ("gpt-oss-20b", 32, 4),
        ("mixtral-8x7b-v0.1", 8, 2),
        ("qwen3-30b-a3b", 128, 8),
    ] {
        for layer in &spec(name).layers {
            let experts = layer.feed_forward.unwrap().experts.unwrap();
            assert_eq!((experts.count, experts.used), (count, used), "{name}");
            assert_eq!(experts.shares, Shares::OfChosen, "{name}");
        }
    }
    let gpt_oss = spec("gpt-oss-20b");
    let spans: Vec<Span> = gpt_oss.layers[..2]
        .iter()
        .map(|l| l.attention.span)
        .collect();
    assert_eq!(spans, [Span::CausalWindow { window: 128 }, Span::Causal]);
    assert!(gpt_oss.layers[0].attention.sinks);
}

#[test]
fn each_family_has_its_own_parts() {
    let gemma = spec("gemma-3-270m");
    let (local, global) = (&gemma.layers[0].attention, &gemma.layers[5].attention);
    let theta =
        |attention: &lookback_model::spec::AttentionSpec| attention.rope.as_ref().unwrap().theta;
    assert_eq!((theta(local), theta(global)), (1e4, 1e6));
    assert_eq!(gemma.final_norm.unwrap().kind, NormKind::RmsPlusOne);
    assert!((gemma.embedding.scale - 640_f32.sqrt()).abs() < 1e-4 && gemma.tied());
    let pythia = spec("pythia-70m");
    assert_eq!(pythia.layers[0].attention.rope.as_ref().unwrap().dims, 16);
    assert!(pythia.layers[0].parallel && !pythia.tied());
    let gpt2 = spec("gpt2");
    assert_eq!(
        gpt2.layers[0].feed_forward.unwrap().activation,
        Activation::GeluTanh
    );
    assert!(gpt2.tied() && gpt2.embedding.positions.is_some());
    let roberta = spec("roberta-base");
    assert_eq!(roberta.embedding.positions.unwrap().first, 2);
    assert_eq!(roberta.context_length, 512);
    assert!(roberta.is_bidirectional() && !roberta.predicts_next());
    let minilm = spec("all-minilm-l6-v2");
    assert!(minilm.head.is_none() && minilm.layers[0].attention_norms.sum.is_some());
}

#[test]
fn positions_come_in_as_each_family_has_them() {
    let phi = spec("phi-4-mini-instruct");
    let rope = phi.layers[0].attention.rope.as_ref().unwrap();
    // 1.19 = √(1 + ln 32 / ln 4096)
    assert!(rope.dims == 96 && (rope.magnitude() - 1.190_24).abs() < 1e-4);
    assert!(rope.frequencies(4097)[47] < rope.frequencies(4096)[47] / 40.0);
    let smollm = spec("smollm3-3b");
    let turns = |layer: usize| smollm.layers[layer].attention.rope.is_some();
    assert!(turns(2) && !turns(3) && turns(4) && !turns(35));
    let opt = spec("opt-125m").embedding.positions.unwrap();
    assert_eq!((opt.first, opt.rows), (2, 2050));
    let slopes = |name: &str| spec(name).layers[0].attention.alibi.clone().unwrap();
    assert_eq!(slopes("bloom-560m")[1], 0.5);
    // Falcon's scores are divided by √64 with the penalty in them.
    assert_eq!(slopes("falcon-rw-1b")[3], 0.5 / 8.0);
    assert!(spec("falcon-7b").layers[0].attention.alibi.is_none());
    let modernbert = spec("modernbert-base");
    let (near, far) = (
        &modernbert.layers[1].attention,
        &modernbert.layers[3].attention,
    );
    assert_eq!(near.span, Span::BidirectionalWindow { radius: 64 });
    assert_eq!(far.span, Span::Bidirectional);
    assert_eq!(near.rope.as_ref().unwrap().theta, 1e4);
    assert_eq!(far.rope.as_ref().unwrap().theta, 1.6e5);
}

#[test]
fn norms_stand_where_each_family_has_them() {
    let olmo = &spec("olmo-2-0425-1b").layers[0];
    assert!(olmo.attention_norms.before.is_none() && olmo.attention_norms.output.is_some());
    assert!(matches!(olmo.attention.qk_norm, Some(QkNorm::AllHeads(_))));
    let falcon = &spec("falcon-7b").layers[0];
    assert!(falcon.parallel && falcon.shared_norm);
    let rw = &spec("falcon-rw-1b").layers[0];
    assert!(!rw.parallel && !rw.shared_norm);
    let modernbert = spec("modernbert-base");
    let before = |layer: usize| modernbert.layers[layer].attention_norms.before;
    assert!(before(0).is_none() && before(1).unwrap().kind == NormKind::LayerWithoutBias);
    assert!(spec("bloom-560m").embedding.norm.is_some());
}

#[test]
fn granite_multiplies_where_it_says() {
    let granite = spec("granite-3.1-2b-base");
    assert_eq!(granite.embedding.scale, 12.0);
    assert_eq!(granite.layers[0].attention.scale, 1.0 / 64.0);
    assert_eq!(granite.layers[0].residual_scale, 0.22);
    assert_eq!(granite.head.unwrap().scale, 1.0 / 8.0);
}

#[test]
fn what_no_part_computes_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, key, value) in [
        ("phi-4-mini-instruct", "lm_head_bias", json!(true)),
        (
            "phi-4-mini-instruct",
            "rope_scaling",
            json!({"type": "linear", "factor": 2.0}),
        ),
        ("smollm3-3b", "no_rope_layers", json!([1, 0])),
        ("smollm3-3b", "no_rope_layers", json!([2].repeat(36))),
        ("granite-3.1-2b-base", "residual_multiplier", json!(0)),
        ("opt-125m", "word_embed_proj_dim", json!(512)),
        ("opt-125m", "layer_norm_elementwise_affine", json!(false)),
        (
            "bloom-560m",
            "apply_residual_connection_post_layernorm",
            json!(true),
        ),
        ("bloom-560m", "n_inner", json!(1024)),
        ("falcon-7b", "num_ln_in_parallel_attn", json!(2)),
        ("modernbert-base", "layer_norm_eps", json!(1e-3)),
        ("modernbert-base", "local_attention", json!(0)),
        ("modernbert-base", "position_embedding_type", json!("sans")),
        ("modernbert-base", "layer_types", json!(["full_attention"])),
    ] {
        let text = std::fs::read_to_string(data("configs").join(format!("{name}.json")));
        let mut config: Value = serde_json::from_str(&text.unwrap()).unwrap();
        config[key] = value.clone();
        let path = folder.path().join("config.json");
        std::fs::write(&path, config.to_string()).unwrap();
        let error = Spec::of_config(&path).expect_err(key).to_string();
        assert!(error.contains(key), "{name}, {key}: {error}");
    }
}
