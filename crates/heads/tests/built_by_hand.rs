//! Models without feed-forward parts whose heads are known by construction: they are recognised for what they are, and
//! random weights are not.
#![allow(clippy::print_stdout, reason = "what is measured is printed")]

use std::collections::HashMap;
use std::path::Path;

use lookback_heads::copying::{Copying, copying};
use lookback_heads::logits::logit_parts;
use lookback_heads::probes::{ProbeScores, Repeated};
use lookback_heads::profile::profiles;
use lookback_model::{Interventions, LoadOptions, Logits, Model, Prefix, TraceOptions};
use lookback_trace::HeadId;
use nalgebra::DMatrix;
use ndarray::{Array2, Axis, s};
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
/// Each head's dimension. Pairs (f, f + 32) are rotated by θ^(−f/32) a token: the first few quickly, those from 16 on not
/// at all with this θ.
const D_K: usize = 64;
const THETA: f64 = 1e12;

/// The numbers of a head that positions do not rotate.
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
    let profiles = profiles(&trace, &[]).unwrap();
    assert!(profiles[0].previous_share > 0.95 && (profiles[0].mean_distance - 1.0).abs() < 0.1);
    assert!(
        profiles[1].sink_share > 0.99 && profiles[1].sink_rate == 1.0 && profiles[1].entropy < 0.05
    );
    assert!(profiles[2].sink_share < 0.3);
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

#[test]
fn without_feed_forward_parts_heads_and_embedding_are_the_whole_logit_difference() {
    let prefix = Prefix::Text("<|endoftext|>".to_owned());
    for weights in [built(), random()] {
        let folder = tempfile::tempdir().unwrap();
        let model = model(&weights, folder.path());
        let encoding = model
            .tokenizer()
            .encode("a text like any other", &prefix)
            .unwrap();
        let ids = encoding.ids.clone();
        let tokens = (ids[2], ids[3]);
        let parts = logit_parts(&model, &encoding, tokens, &()).unwrap();
        println!(
            "{:.4} = {:.4} + heads + {:.1e}",
            parts.difference, parts.embedding, parts.rest
        );
        assert!(parts.heads.len() == LAYERS * HEADS && parts.difference.abs() > 1e-3);
        // Nothing is left over: f32 logits of a few units carry some 1e-6.
        assert!(parts.rest.abs() < 1e-4, "{}", parts.rest);
        // An ablated head adds nothing, and what it added through later heads is not in its part.
        let mut without = Interventions::default();
        without.ablate(HeadId {
            layer: LAYERS - 1,
            head: 0,
        });
        let ablated = logit_parts(&model, &encoding, tokens, &without).unwrap();
        assert_eq!(ablated.heads[(LAYERS - 1) * HEADS].part, 0.0);
        assert!(ablated.rest.abs() < 1e-4);
    }
}

/// E·diag(g)·W_v·W_o·diag(g_f)·Ū of one head in plain f64: \[V, V\], row t what looking at token t adds to each logit.
fn whole_circuit(model: &Model, id: HeadId) -> Array2<f64> {
    let spec = model.spec();
    let ids: Vec<u32> = (0..spec.vocab as u32).collect();
    let exact = |x: Array2<f32>| x.mapv(f64::from);
    let (e, mut u) = (
        exact(model.embeddings(&ids).unwrap()),
        exact(model.unembeddings(&ids).unwrap()),
    );
    u -= &u.mean_axis(Axis(0)).unwrap();
    let weights = model.attention_weights(id.layer).unwrap();
    let of = |head: usize| head * spec.head_dim..(head + 1) * spec.head_dim;
    let value_head = id.head / (spec.heads / spec.kv_heads);
    let w_v = exact(weights.w_v.slice(s![.., of(value_head)]).to_owned());
    let w_o = exact(weights.w_o.slice(s![of(id.head), ..]).to_owned());
    let gained = &e * &weights.norm_gain.mapv(f64::from);
    gained.dot(&w_v).dot(&w_o).dot(&u.t())
}

#[test]
fn copying_scores_are_those_of_the_whole_circuit() {
    let mut weights = random();
    // Two heads whose spectrum is known: one raises the code that it looks at, one lowers it.
    for (head, sign) in [(1, 1.0), (2, -1.0)] {
        let own = head * D_K..(head + 1) * D_K;
        let mut of = |part: &str| {
            weights
                .remove(&format!("model.layers.1.self_attn.{part}.weight"))
                .unwrap()
        };
        let (mut values, mut out) = (of("v_proj"), of("o_proj"));
        values.slice_mut(s![own.clone(), ..]).fill(0.0);
        out.slice_mut(s![.., own.clone()]).fill(0.0);
        for (n, code) in own.zip(CODE) {
            values[[n, code]] = sign;
            out[[code, n]] = 1.0;
        }
        weights.insert("model.layers.1.self_attn.v_proj.weight".into(), values);
        weights.insert("model.layers.1.self_attn.o_proj.weight".into(), out);
    }
    let folder = tempfile::tempdir().unwrap();
    let model = model(&weights, folder.path());
    let scores = check_copying(&model);
    let of = |head: usize| scores[HEADS + head].copying;
    assert!(of(1) > 0.999 && of(2) < -0.999, "{} {}", of(1), of(2));
    // Grouped heads, and an output head of its own.
    for name in ["grouped", "untied-bf16"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/data/tiny");
        check_copying(&Model::load(&folder.join(name), &LoadOptions::default()).unwrap());
    }
}

/// The scores of a model, each as the eigenvalues of the whole circuit give it.
fn check_copying(model: &Model) -> Vec<Copying> {
    let scores = copying(model, &mut |_, _| true).unwrap().unwrap();
    assert_eq!(scores.len(), model.spec().layers.len() * model.spec().heads);
    for found in &scores {
        let circuit = whole_circuit(model, found.head);
        let dense = DMatrix::from_fn(circuit.nrows(), circuit.ncols(), |i, j| circuit[[i, j]]);
        let eigenvalues = dense.complex_eigenvalues();
        let real: f64 = eigenvalues.iter().map(|l| l.re).sum();
        let size: f64 = eigenvalues.iter().map(|l| l.re.hypot(l.im)).sum();
        println!("{:?} {:+.6} {:+.6}", found.head, found.copying, real / size);
        // U·E is multiplied in f32, of parts that are larger than their sum.
        assert!(
            (found.copying - real / size).abs() < 1e-4,
            "{found:?} {}",
            real / size
        );
    }
    scores
}
