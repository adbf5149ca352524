//! ModernBERT (Warner et al. 2024, <https://arxiv.org/abs/2412.13663>): an encoder with rotary positions, LayerNorm before each
//! part but the first attention, gated feed-forward parts, and layers that see the whole text between others that see what is
//! near, on both sides.

use serde_json::json;

use super::config::heads::equal_heads;
use super::config::plain::Plain;
use super::config::rope::{RopeDefaults, rope_from};
use super::config::windows::layer_kinds;
use super::config::{folder, gguf};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Layout, Named};
use crate::checkpoint::settings::Settings;
use crate::spec::{
    Activation, EmbeddingSpec, HeadSpec, HeadTransform, LayerSpec, Norm, NormKind, Part, Rope,
    Span, Spec, Tensor,
};

pub(super) const FAMILY: Family = Family {
    architecture: "modernbert",
    model_types: &["modernbert"],
    classes: &["ModernBertForMaskedLM"],
    base_classes: &[
        "ModernBertModel",
        "ModernBertForSequenceClassification",
        "ModernBertForTokenClassification",
        "ModernBertForQuestionAnswering",
        "ModernBertForMultipleChoice",
    ],
    folder: read_folder,
    gguf: gguf::folder_only,
    base_prefix: "model.",
    layer_prefix: "model.layers.",
    outside: &[
        Named::new(
            Part::Embedding.weight(),
            "model.embeddings.tok_embeddings.weight",
            "-",
        ),
        Named::new(
            Part::EmbeddingNorm.weight(),
            "model.embeddings.norm.weight",
            "-",
        ),
        Named::new(
            Part::EmbeddingNorm.bias(),
            "model.embeddings.norm.bias",
            "-",
        ),
        Named::new(Part::FinalNorm.weight(), "model.final_norm.weight", "-"),
        Named::new(Part::FinalNorm.bias(), "model.final_norm.bias", "-"),
        Named::new(Part::HeadTransform.weight(), "head.dense.weight", "-"),
        Named::new(Part::HeadTransform.bias(), "head.dense.bias", "-"),
        Named::new(Part::HeadNorm.weight(), "head.norm.weight", "-"),
        Named::new(Part::HeadNorm.bias(), "head.norm.bias", "-"),
        Named::new(Part::Head.weight(), "decoder.weight", "-"),
        Named::new(Part::Head.bias(), "decoder.bias", "-"),
    ],
    layer: &[
        Named::new(Part::AttentionNorm.weight(), "attn_norm.weight", "-"),
        Named::new(Part::AttentionNorm.bias(), "attn_norm.bias", "-"),
        block(Part::Q.weight(), "attn.Wqkv.weight"),
        block(Part::K.weight(), "attn.Wqkv.weight"),
        block(Part::V.weight(), "attn.Wqkv.weight"),
        block(Part::Q.bias(), "attn.Wqkv.bias"),
        block(Part::K.bias(), "attn.Wqkv.bias"),
        block(Part::V.bias(), "attn.Wqkv.bias"),
        Named::new(Part::Output.weight(), "attn.Wo.weight", "-"),
        Named::new(Part::Output.bias(), "attn.Wo.bias", "-"),
        Named::new(Part::FeedForwardNorm.weight(), "mlp_norm.weight", "-"),
        Named::new(Part::FeedForwardNorm.bias(), "mlp_norm.bias", "-"),
        block(Part::Gate.weight(), "mlp.Wi.weight"),
        block(Part::Up.weight(), "mlp.Wi.weight"),
        block(Part::Gate.bias(), "mlp.Wi.bias"),
        block(Part::Up.bias(), "mlp.Wi.bias"),
        Named::new(Part::Down.weight(), "mlp.Wo.weight", "-"),
        Named::new(Part::Down.bias(), "mlp.Wo.bias", "-"),
    ],
    // What classifies texts or tokens.
    ignored: &["classifier."],
    examples: &[Example::untested(
        "hf:answerdotai/ModernBERT-base",
        "Apache-2.0",
        599,
    )],
};

/// One of several blocks in one tensor.
const fn block(tensor: Tensor, folder: &'static str) -> Named {
    Named::new(tensor, folder, "-").folder(Layout::Block)
}

fn read_folder(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    let head = folder::head(settings, family, true)?;
    let (d, heads) = equal_heads(settings, ("hidden_size", "num_attention_heads"))?;
    let context_length = settings.size("max_position_embeddings")?.unwrap_or(8192);
    settings.only("position_embedding_type", &json!("absolute"))?;
    settings.ignore(&["reference_compile", "repad_logits_with_grad"]);
    settings.ignore(&[
        "classifier_dropout",
        "classifier_pooling",
        "deterministic_flash_attn",
        "embedding_dropout",
        "initializer_cutoff_factor",
        "mlp_dropout",
    ]);
    // Of training alone: which rows the head is computed for.
    settings.ignore_beginning(&["sparse_pred"]);
    let norm = norm(settings)?;
    let head = match head {
        Some(head) => Some(masked_head(settings, head, norm)?),
        None => {
            settings.ignore(&["classifier_bias", "classifier_activation", "decoder_bias"]);
            None
        }
    };
    let defaults = RopeDefaults {
        theta: 10_000.0,
        head_dim: d / heads,
        part: None,
        context: context_length,
    };
    Ok(Spec {
        architecture: family.architecture,
        d,
        heads,
        kv_heads: heads,
        head_dim: d / heads,
        vocab: settings.required_size("vocab_size")?,
        context_length,
        embedding: EmbeddingSpec {
            norm: Some(norm),
            ..EmbeddingSpec::default()
        },
        layers: layers(settings, norm, defaults)?,
        final_norm: Some(norm),
        head,
    })
}

fn norm(settings: &mut Settings) -> Result<Norm, Error> {
    let eps = settings.positive("norm_eps")?.unwrap_or(1e-5);
    // Published files say it twice.
    if let Some(again) = settings.positive("layer_norm_eps")?
        && again != eps
    {
        let expected = format!("{eps}, as norm_eps");
        return Err(settings.invalid("layer_norm_eps", &again.into(), &expected));
    }
    Ok(Norm {
        kind: match settings.bool("norm_bias")?.unwrap_or(false) {
            true => NormKind::Layer,
            false => NormKind::LayerWithoutBias,
        },
        eps,
    })
}

/// The head that predicts masked words.
fn masked_head(settings: &mut Settings, head: HeadSpec, norm: Norm) -> Result<HeadSpec, Error> {
    let transform = HeadTransform {
        activation: folder::activation(settings, &["classifier_activation"])?
            .unwrap_or(Activation::Gelu),
        norm,
        bias: settings.bool("classifier_bias")?.unwrap_or(false),
    };
    Ok(HeadSpec {
        bias: settings.bool("decoder_bias")?.unwrap_or(true),
        transform: Some(transform),
        masked: true,
        ..head
    })
}

/// Every third layer sees the whole text, beginning with the first, unless the file says otherwise; the others see half of
/// `local_attention` on each side.
fn layers(
    settings: &mut Settings,
    norm: Norm,
    defaults: RopeDefaults,
) -> Result<Vec<LayerSpec>, Error> {
    let number = settings.required_layers("num_hidden_layers")?;
    let interval = settings.size("global_attn_every_n_layers")?.unwrap_or(3);
    let near = layer_kinds(settings, number, |layer| !layer.is_multiple_of(interval))?;
    let window = settings.size("local_attention")?.unwrap_or(128);
    let [global, local] = ropes(settings, defaults)?;
    let plain = Plain {
        head_dim: defaults.head_dim,
        norm,
        rope: Some(global),
        activation: folder::activation(settings, &["hidden_activation"])?
            .unwrap_or(Activation::Gelu),
        d_ff: settings.required_size("intermediate_size")?,
    };
    let mut layer = plain.layer();
    layer.attention.span = Span::Bidirectional;
    let mut layers = vec![layer; number];
    for (layer, _) in layers.iter_mut().zip(near).filter(|(_, near)| *near) {
        layer.attention.span = Span::BidirectionalWindow { radius: window / 2 };
        layer.attention.rope = Some(local.clone());
    }
    // The embeddings have a norm already.
    layers[0].attention_norms.before = None;
    let attention_bias = settings.bool("attention_bias")?.unwrap_or(false);
    let mlp_bias = settings.bool("mlp_bias")?.unwrap_or(false);
    for layer in &mut layers {
        layer.attention.qkv_bias = attention_bias;
        layer.attention.output_bias = attention_bias;
        if let Some(feed_forward) = &mut layer.feed_forward {
            feed_forward.bias = mlp_bias;
        }
    }
    Ok(layers)
}

/// Rotary embeddings of layers that see the whole text, and of those that see what is near: `global_rope_theta` and
/// `local_rope_theta`, or since transformers 5 one object for each.
fn ropes(settings: &mut Settings, defaults: RopeDefaults) -> Result<[Rope; 2], Error> {
    let global_defaults = RopeDefaults {
        theta: 160_000.0,
        ..defaults
    };
    let theta = [
        settings.positive("global_rope_theta")?,
        settings.positive("local_rope_theta")?,
    ];
    let mut kinds = settings.object("rope_parameters")?;
    let mut of_kind = |kind: &str| match &mut kinds {
        Some(kinds) => kinds.object(kind),
        None => Ok(None),
    };
    let parameters = [of_kind("full_attention")?, of_kind("sliding_attention")?];
    if let Some(mut kinds) = kinds {
        kinds.finish()?;
    }
    let [full, near] = parameters;
    Ok([
        rope_from(full, theta[0], settings, global_defaults)?,
        rope_from(near, theta[1], settings, defaults)?,
    ])
}
