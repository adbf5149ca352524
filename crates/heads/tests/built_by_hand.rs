//! Models without feed-forward parts whose heads are known by construction: they are recognised for what they are, and
//! random weights are not.
#![allow(clippy::print_stdout, reason = "what is measured is printed")]

use std::collections::HashMap;
use std::path::Path;

use lookback_heads::passport::passports;
use lookback_heads::probes::{ProbeScores, Repeated};
use lookback_model::{LoadOptions, Logits, Model, Prefix, TraceOptions};
use ndarray::Array2;
use safetensors::tensor::{Dtype, TensorView, serialize};

// The residual stream: a constant, whether the token is the first of its kind (bos), a code of ±1 for the token, a
// place for the code of the token before, and what keeps all rows as long as each other.
const D: usize = 80;
const BOS: usize = 1;
const CODE: std::ops::Range<usize> = 2..34;
const BEFORE: std::ops::Range<usize> = 34..66;
const FILL: usize = 66;

const VOCAB: usize = 338;
const HEADS: usize = 3;
const LAYERS: usize = 2;
/// Each head's dimension. Pairs (f, f + 32) are turned by θ^(−f/32) a token: the first few quickly, those from 16 on not
/// at all with this θ.
const D_K: usize = 64;
const THETA: f64 = 1e12;

/// The numbers of a head that positions do not turn.
fn still() -> Vec<usize> {
    (16..32).chain(48..64).collect()
}

/// Numbers from −1 to 1 that follow from a seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32) / (1_u64 << 23) as f32 - 1.0
    }
}

/// The weights by name, each as \[out, in\].
type Weights = HashMap<String, Array2<f32>>;

/// What every such model has, with nothing in its layers.
fn empty() -> Weights {
    let mut weights = Weights::new();
    let mut numbers = Numbers(1);
    let mut embed = Array2::zeros((VOCAB, D));
    for (token, mut row) in embed.outer_iter_mut().enumerate() {
        row[0] = 1.0;
        if token == 0 {
            row[BOS] = 1.0;
            row[FILL] = 31.0_f32.sqrt();
        } else {
            CODE.for_each(|c| row[c] = numbers.next().signum());
        }
    }
    weights.insert("model.embed_tokens.weight".into(), embed);
    for layer in 0..LAYERS {
        let mut zeros = |part: &str, shape| {
            weights.insert(
                format!("model.layers.{layer}.{part}.weight"),
                Array2::zeros(shape),
            );
        };
        for part in ["q_proj", "k_proj", "v_proj"] {
            zeros(&format!("self_attn.{part}"), (HEADS * D_K, D));
        }
        zeros("self_attn.o_proj", (D, HEADS * D_K));
        zeros("mlp.gate_proj", (4, D));
        zeros("mlp.up_proj", (4, D));
        zeros("mlp.down_proj", (D, 4));
    }
    weights
}

/// Layer 0: a previous-token head (0) and a sink head (1). Layer 1: an induction head (0), which reads what the
/// previous-token head wrote. The others are empty: they look at all tokens alike.
fn built() -> Weights {
    let mut weights = empty();
    let mut at = |layer: usize, part: &str, to: usize, from: usize, value: f64| {
        let weights = weights.get_mut(&format!("model.layers.{layer}.self_attn.{part}.weight"));
        weights.unwrap()[[to, from]] = value as f32;
    };
    // What the norm multiplies by: rows are √33 long, and √65 once the code of the token before is in them.
    let (first, second) = ((80.0_f64 / 33.0).sqrt(), (80.0_f64 / 65.0).sqrt());
    // q·k/8 = 25·Σ cos(ω_f·(i − j − 1)): greatest at the token before.
    let size = 200.0_f64.sqrt() / first;
    for f in 0..7 {
        let angle = THETA.powf(-(f as f64) / 32.0);
        at(0, "q_proj", f, 0, size);
        at(0, "k_proj", f, 0, size * angle.cos());
        at(0, "k_proj", f + 32, 0, size * angle.sin());
    }
    for (n, (code, before)) in CODE.zip(BEFORE).enumerate() {
        at(0, "v_proj", n, code, 1.0 / first);
        at(0, "o_proj", before, n, 1.0);
    }
    let size = 240.0_f64.sqrt() / first;
    at(0, "q_proj", D_K + 16, 0, size);
    at(0, "k_proj", D_K + 16, BOS, size);
    let size = 15.0_f64.sqrt() / second;
    for ((code, before), still) in CODE.zip(BEFORE).zip(still()) {
        at(1, "q_proj", still, code, size);
        at(1, "k_proj", still, before, size);
    }
    weights
}

/// The same with random weights in place of the attention's.
fn random() -> Weights {
    let mut weights = empty();
    let mut numbers = Numbers(7);
    let mut names: Vec<String> = weights
        .keys()
        .filter(|name| name.contains("self_attn"))
        .cloned()
        .collect();
    names.sort();
    for name in names {
        weights
            .get_mut(&name)
            .unwrap()
            .mapv_inplace(|_| numbers.next() * 0.3);
    }
    weights
}

fn model(weights: &Weights, folder: &Path) -> Model {
    let tokenizer = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../model/tests/data/tiny/grouped/tokenizer.json");
    std::fs::copy(tokenizer, folder.join("tokenizer.json")).unwrap();
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": D, "intermediate_size": 4, "head_dim": D_K, "vocab_size": VOCAB,
        "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "num_hidden_layers": LAYERS,
        "max_position_embeddings": 256, "rms_norm_eps": 1e-9, "rope_theta": THETA,
        "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false, "bos_token_id": 0, "eos_token_id": 2,
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let bytes = |values: &mut dyn Iterator<Item = f32>| {
        values.flat_map(f32::to_le_bytes).collect::<Vec<u8>>()
    };
    let mut tensors: HashMap<String, (Vec<usize>, Vec<u8>)> = weights
        .iter()
        .map(|(name, w)| {
            (
                name.clone(),
                (w.shape().to_vec(), bytes(&mut w.iter().copied())),
            )
        })
        .collect();
    let mut norms = vec!["model.norm.weight".to_owned()];
    for layer in 0..LAYERS {
        norms.push(format!("model.layers.{layer}.input_layernorm.weight"));
        norms.push(format!(
            "model.layers.{layer}.post_attention_layernorm.weight"
        ));
    }
    for norm in norms {
        tensors.insert(norm, (vec![D], bytes(&mut std::iter::repeat_n(1.0, D))));
    }
    let views = tensors.iter().map(|(name, (shape, data))| {
        (
            name.clone(),
            TensorView::new(Dtype::F32, shape.clone(), data).unwrap(),
        )
    });
    let file = serialize(views.collect::<HashMap<_, _>>(), None).unwrap();
    std::fs::write(folder.join("model.safetensors"), file).unwrap();
    Model::load(folder, &LoadOptions::default()).unwrap()
}

fn scores(model: &Model) -> Vec<ProbeScores> {
    let prefix = Prefix::Text("<|endoftext|>".to_owned());
    let repeated = Repeated::random(model, &prefix, (4, 50), 3).unwrap();
    assert!(
        repeated
            .sequences
            .iter()
            .all(|ids| ids.len() == 101 && ids[0] == 0)
    );
    repeated.scores(model, &(), &mut || ()).unwrap()
}

#[test]
fn heads_are_recognised_for_what_they_were_built_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(&built(), folder.path());
    let scores = scores(&model);
    for s in &scores {
        println!("{s:.3?}");
    }
    let (previous, sink, induction) = (scores[0], scores[1], scores[HEADS]);
    assert!(previous.previous > 0.95 && previous.induction < 0.05 && previous.duplicate < 0.05);
    assert!(sink.sink > 0.99 && sink.previous < 0.05);
    assert!(induction.induction > 0.85 && induction.duplicate < 0.1 && induction.previous < 0.1);
    // Empty heads look at all tokens alike.
    for empty in [scores[2], scores[HEADS + 1], scores[HEADS + 2]] {
        assert!(
            empty.previous < 0.1
                && empty.induction < 0.1
                && empty.duplicate < 0.1
                && empty.sink < 0.1
        );
    }
    let encoding = model
        .tokenizer()
        .encode(
            "a text like any other",
            &Prefix::Text("<|endoftext|>".to_owned()),
        )
        .unwrap();
    let options = TraceOptions {
        logits: Logits::None,
        ..TraceOptions::default()
    };
    let trace = model.trace(&encoding, &options, &()).unwrap().trace;
    let passports = passports(&trace, &[]).unwrap();
    assert!(passports[0].previous_share > 0.95 && (passports[0].mean_distance - 1.0).abs() < 0.1);
    assert!(
        passports[1].sink_share > 0.99
            && passports[1].sink_rate == 1.0
            && passports[1].entropy < 0.05
    );
    assert!(passports[2].sink_share < 0.3);
}

#[test]
fn random_weights_are_nothing_in_particular() {
    let folder = tempfile::tempdir().unwrap();
    for s in scores(&model(&random(), folder.path())) {
        assert!(
            s.previous < 0.3 && s.induction < 0.3 && s.duplicate < 0.3,
            "{s:?}"
        );
    }
}
