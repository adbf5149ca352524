//! What BERT's and RoBERTa's files have in common.

use serde_json::json;

use super::encoder::Encoder;
use crate::checkpoint::Error;
use crate::checkpoint::family::{Family, Named};
use crate::checkpoint::settings::Settings;
use crate::families::config::folder;
use crate::families::config::heads::equal_heads;
use crate::spec::{Activation, EmbeddingSpec, LearnedPositions, Norm, NormKind, Part, Spec};

/// The tensors of a layer, as BERT and RoBERTa name them.
pub(super) const LAYER: &[Named] = &[
    Named::new(
        Part::Q.weight(),
        "attention.self.query.weight",
        "attn_q.weight",
    ),
    Named::new(Part::Q.bias(), "attention.self.query.bias", "attn_q.bias"),
    Named::new(
        Part::K.weight(),
        "attention.self.key.weight",
        "attn_k.weight",
    ),
    Named::new(Part::K.bias(), "attention.self.key.bias", "attn_k.bias"),
    Named::new(
        Part::V.weight(),
        "attention.self.value.weight",
        "attn_v.weight",
    ),
    Named::new(Part::V.bias(), "attention.self.value.bias", "attn_v.bias"),
    Named::new(
        Part::Output.weight(),
        "attention.output.dense.weight",
        "attn_output.weight",
    ),
    Named::new(
        Part::Output.bias(),
        "attention.output.dense.bias",
        "attn_output.bias",
    ),
    Named::new(
        Part::AttentionSumNorm.weight(),
        "attention.output.LayerNorm.weight",
        "attn_output_norm.weight",
    ),
    Named::new(
        Part::AttentionSumNorm.bias(),
        "attention.output.LayerNorm.bias",
        "attn_output_norm.bias",
    ),
    Named::new(
        Part::Up.weight(),
        "intermediate.dense.weight",
        "ffn_up.weight",
    ),
    Named::new(Part::Up.bias(), "intermediate.dense.bias", "ffn_up.bias"),
    Named::new(
        Part::Down.weight(),
        "output.dense.weight",
        "ffn_down.weight",
    ),
    Named::new(Part::Down.bias(), "output.dense.bias", "ffn_down.bias"),
    Named::new(
        Part::FeedForwardSumNorm.weight(),
        "output.LayerNorm.weight",
        "layer_output_norm.weight",
    ),
    Named::new(
        Part::FeedForwardSumNorm.bias(),
        "output.LayerNorm.bias",
        "layer_output_norm.bias",
    ),
];

/// BERT's and RoBERTa's config.json; position 0 is row `first` of the table.
pub(super) fn read_folder(
    settings: &mut Settings,
    family: &Family,
    first: usize,
) -> Result<Spec, Error> {
    let head = folder::head(settings, family, true)?;
    let (d, heads) = equal_heads(settings, ("hidden_size", "num_attention_heads"))?;
    settings.only("is_decoder", &json!(false))?;
    settings.only("position_embedding_type", &json!("absolute"))?;
    settings.ignore(&["classifier_dropout", "layer_norm_epsilon"]);
    settings.ignore_beginning(&["pooler_", "gradient_checkpointing"]);
    let rows = settings.size("max_position_embeddings")?.unwrap_or(512);
    if rows <= first {
        let expected = format!("more than the {first} rows that stand for padding");
        return Err(settings.invalid("max_position_embeddings", &rows.into(), &expected));
    }
    let encoder = Encoder {
        norm: Norm {
            kind: NormKind::Layer,
            eps: settings.positive("layer_norm_eps")?.unwrap_or(1e-12),
        },
        activation: folder::activation(settings, &["hidden_act"])?.unwrap_or(Activation::Gelu),
        d_ff: settings.required_size("intermediate_size")?,
        layers: settings.required_layers("num_hidden_layers")?,
        positions: LearnedPositions { rows, first },
        segments: Some(settings.size("type_vocab_size")?.unwrap_or(2)),
    };
    Ok(encoder.complete(Spec {
        architecture: family.architecture,
        d,
        heads,
        kv_heads: heads,
        head_dim: d / heads,
        vocab: settings.required_size("vocab_size")?,
        context_length: rows - first,
        embedding: EmbeddingSpec::default(),
        layers: Vec::new(),
        final_norm: None,
        head,
    }))
}
