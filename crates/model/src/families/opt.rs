//! OPT (Zhang et al. 2022, <https://arxiv.org/abs/2205.01068>): GPT-2 with ReLU and queries, keys and values of their own, whose
//! learned positions begin at the third row; in its second smallest model norms of the sums instead of norms before each part.

use serde_json::json;

use super::config::heads::equal_heads;
use super::config::plain::Plain;
use super::config::{folder, gguf};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Named};
use crate::checkpoint::settings::Settings;
use crate::spec::{
    Activation, EmbeddingSpec, LayerSpec, LearnedPositions, Norm, NormKind, Norms, Part, Spec,
};

pub(super) const FAMILY: Family = Family {
    architecture: "opt",
    model_types: &["opt"],
    classes: &["OPTForCausalLM"],
    base_classes: &["OPTModel"],
    folder: read_folder,
    gguf: gguf::folder_only,
    base_prefix: "model.",
    layer_prefix: "model.decoder.layers.",
    outside: &[
        Named::new(
            Part::Embedding.weight(),
            "model.decoder.embed_tokens.weight",
            "-",
        ),
        Named::new(
            Part::Positions.weight(),
            "model.decoder.embed_positions.weight",
            "-",
        ),
        Named::new(
            Part::FinalNorm.weight(),
            "model.decoder.final_layer_norm.weight",
            "-",
        ),
        Named::new(
            Part::FinalNorm.bias(),
            "model.decoder.final_layer_norm.bias",
            "-",
        ),
        Named::new(Part::Head.weight(), "lm_head.weight", "-"),
    ],
    layer: &[
        Named::new(
            Part::AttentionNorm.weight(),
            "self_attn_layer_norm.weight",
            "-",
        ),
        Named::new(Part::AttentionNorm.bias(), "self_attn_layer_norm.bias", "-"),
        Named::new(
            Part::AttentionSumNorm.weight(),
            "self_attn_layer_norm.weight",
            "-",
        ),
        Named::new(
            Part::AttentionSumNorm.bias(),
            "self_attn_layer_norm.bias",
            "-",
        ),
        Named::new(Part::Q.weight(), "self_attn.q_proj.weight", "-"),
        Named::new(Part::Q.bias(), "self_attn.q_proj.bias", "-"),
        Named::new(Part::K.weight(), "self_attn.k_proj.weight", "-"),
        Named::new(Part::K.bias(), "self_attn.k_proj.bias", "-"),
        Named::new(Part::V.weight(), "self_attn.v_proj.weight", "-"),
        Named::new(Part::V.bias(), "self_attn.v_proj.bias", "-"),
        Named::new(Part::Output.weight(), "self_attn.out_proj.weight", "-"),
        Named::new(Part::Output.bias(), "self_attn.out_proj.bias", "-"),
        Named::new(
            Part::FeedForwardNorm.weight(),
            "final_layer_norm.weight",
            "-",
        ),
        Named::new(Part::FeedForwardNorm.bias(), "final_layer_norm.bias", "-"),
        Named::new(
            Part::FeedForwardSumNorm.weight(),
            "final_layer_norm.weight",
            "-",
        ),
        Named::new(
            Part::FeedForwardSumNorm.bias(),
            "final_layer_norm.bias",
            "-",
        ),
        Named::new(Part::Up.weight(), "fc1.weight", "-"),
        Named::new(Part::Up.bias(), "fc1.bias", "-"),
        Named::new(Part::Down.weight(), "fc2.weight", "-"),
        Named::new(Part::Down.bias(), "fc2.bias", "-"),
    ],
    ignored: &[],
    // OPT's own files are older than safetensors and tokenizer.json.
    examples: &[Example::untested(
        "hf:facebook/galactica-125m",
        "CC-BY-NC-4.0",
        250,
    )],
};

/// The row of position 0.
const FIRST_ROW: usize = 2;

const NORM: Norm = Norm {
    kind: NormKind::Layer,
    eps: 1e-5,
};

fn read_folder(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    let head = folder::head(settings, family, true)?;
    let (d, heads) = equal_heads(settings, ("hidden_size", "num_attention_heads"))?;
    // Else the embeddings are longer or shorter than what the layers read, with a matrix in between.
    settings.only("word_embed_proj_dim", &json!(d))?;
    settings.only("_remove_final_layer_norm", &json!(false))?;
    settings.only("layer_norm_elementwise_affine", &json!(true))?;
    settings.only("learned_embeddings", &json!(true))?;
    settings.only("scale_embeddings", &json!(false))?;
    settings.ignore(&["activation_dropout", "dropout", "init_std", "layerdrop"]);
    let context_length = settings.size("max_position_embeddings")?.unwrap_or(2048);
    let norm_before = settings.bool("do_layer_norm_before")?.unwrap_or(true);
    let layer = layer(settings, d / heads, norm_before)?;
    Ok(Spec {
        architecture: family.architecture,
        d,
        heads,
        kv_heads: heads,
        head_dim: d / heads,
        vocab: settings.required_size("vocab_size")?,
        context_length,
        embedding: EmbeddingSpec {
            positions: Some(LearnedPositions {
                rows: context_length + FIRST_ROW,
                first: FIRST_ROW,
            }),
            ..EmbeddingSpec::default()
        },
        layers: vec![layer; settings.required_layers("num_hidden_layers")?],
        final_norm: norm_before.then_some(NORM),
        head,
    })
}

fn layer(settings: &mut Settings, head_dim: usize, norm_before: bool) -> Result<LayerSpec, Error> {
    let plain = Plain {
        head_dim,
        norm: NORM,
        rope: None,
        activation: folder::activation(settings, &["activation_function"])?
            .unwrap_or(Activation::Relu),
        d_ff: settings.required_size("ffn_dim")?,
    };
    let mut layer = plain.biased_layer();
    let bias = settings.bool("enable_bias")?.unwrap_or(true);
    layer.attention.qkv_bias = bias;
    layer.attention.output_bias = bias;
    if let Some(feed_forward) = &mut layer.feed_forward {
        feed_forward.bias = bias;
    }
    if !norm_before {
        let sum = Norms {
            sum: Some(NORM),
            ..Norms::default()
        };
        layer.attention_norms = sum;
        layer.feed_forward_norms = sum;
    }
    Ok(layer)
}
