//! The tensors of a Llama model, and what GGUF calls them.

use super::super::Config;
use super::super::weights::RowOrder;

/// GGUF's and the canonical names of a layer's tensors, after `blk.{L}.` and `model.layers.{L}.`
const LAYER: &[(&str, &str)] = &[
    ("attn_norm.weight", "input_layernorm.weight"),
    ("attn_q.weight", "self_attn.q_proj.weight"),
    ("attn_k.weight", "self_attn.k_proj.weight"),
    ("attn_v.weight", "self_attn.v_proj.weight"),
    ("attn_output.weight", "self_attn.o_proj.weight"),
    ("ffn_norm.weight", "post_attention_layernorm.weight"),
    ("ffn_gate.weight", "mlp.gate_proj.weight"),
    ("ffn_up.weight", "mlp.up_proj.weight"),
    ("ffn_down.weight", "mlp.down_proj.weight"),
];

/// GGUF's and the canonical names of the other tensors.
const OUTSIDE: &[(&str, &str)] = &[
    ("token_embd.weight", "model.embed_tokens.weight"),
    ("output_norm.weight", "model.norm.weight"),
    ("output.weight", "lm_head.weight"),
];

/// The canonical name of a GGUF tensor and the order of its rows.
pub(super) fn canonical_name(name: &str, config: &Config) -> Option<(String, RowOrder)> {
    if let Some((_, canonical)) = OUTSIDE.iter().find(|entry| entry.0 == name) {
        return Some(((*canonical).to_owned(), RowOrder::AsStored));
    }
    let (layer, tensor) = name.strip_prefix("blk.")?.split_once('.')?;
    let layer: usize = layer.parse().ok().filter(|&layer| layer < config.layers)?;
    let (_, canonical) = LAYER.iter().find(|entry| entry.0 == tensor)?;
    // llama.cpp turns neighbouring entries, and so converters interleave the halves.
    let rows = match tensor {
        "attn_q.weight" | "attn_k.weight" => RowOrder::InterleavedHalves {
            head_dim: config.head_dim,
        },
        _ => RowOrder::AsStored,
    };
    Some((format!("model.layers.{layer}.{canonical}"), rows))
}

/// Tensors that checkpoints hold and the computation does not need.
pub(super) fn is_ignored(name: &str, config: &Config) -> bool {
    // The frequencies follow from the configuration; GGUF's factors are part of it.
    name == "rope_freqs.weight"
        || name.ends_with(".self_attn.rotary_emb.inv_freq")
        || (config.tied && name == "lm_head.weight")
}

/// All tensors and their shapes, `[out, in]` for matrices.
pub(super) fn all(config: &Config) -> Box<dyn Iterator<Item = (String, Vec<usize>)>> {
    let Config {
        d,
        heads,
        kv_heads,
        head_dim,
        d_ff,
        vocab,
        ..
    } = *config;
    let (queries, keys) = (heads * head_dim, kv_heads * head_dim);
    let layer_shapes = [
        ("input_layernorm.weight", vec![d]),
        ("self_attn.q_proj.weight", vec![queries, d]),
        ("self_attn.k_proj.weight", vec![keys, d]),
        ("self_attn.v_proj.weight", vec![keys, d]),
        ("self_attn.o_proj.weight", vec![d, queries]),
        ("post_attention_layernorm.weight", vec![d]),
        ("mlp.gate_proj.weight", vec![d_ff, d]),
        ("mlp.up_proj.weight", vec![d_ff, d]),
        ("mlp.down_proj.weight", vec![d, d_ff]),
    ];
    let outside = [
        ("model.embed_tokens.weight".to_owned(), vec![vocab, d]),
        ("model.norm.weight".to_owned(), vec![d]),
    ];
    let head = (!config.tied).then(|| ("lm_head.weight".to_owned(), vec![vocab, d]));
    let layers = (0..config.layers).flat_map(move |layer| {
        layer_shapes
            .clone()
            .into_iter()
            .map(move |(name, shape)| (format!("model.layers.{layer}.{name}"), shape))
    });
    Box::new(outside.into_iter().chain(head).chain(layers))
}
