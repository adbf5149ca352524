//! BERT (Devlin et al. 2018, <https://arxiv.org/abs/1810.04805>), RoBERTa (Liu et al. 2019,
//! <https://arxiv.org/abs/1907.11692>) and DistilBERT (Sanh et al. 2019, <https://arxiv.org/abs/1910.01108>): encoders with
//! learned positions and LayerNorm behind each part, and a head that predicts masked words where it is stored.

mod distilbert;
mod roberta;

pub(super) use distilbert::FAMILY as DISTILBERT;
pub(super) use roberta::FAMILY as ROBERTA;

use serde_json::json;

use super::config::{folder, gguf};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Named};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{
    Activation, AttentionSpec, EmbeddingSpec, FeedForwardSpec, HeadSpec, LayerSpec,
    LearnedPositions, Norm, NormKind, Norms, Part, Span, Spec,
};

pub(super) const BERT: Family = Family {
    architecture: "bert",
    model_types: &["bert"],
    classes: &["BertForMaskedLM", "BertForPreTraining"],
    base_classes: &[
        "BertModel",
        "BertForSequenceClassification",
        "BertForTokenClassification",
        "BertForQuestionAnswering",
    ],
    folder: |settings, family| read_folder(settings, family, 0),
    gguf: read_gguf,
    base_prefix: "bert.",
    layer_prefix: "bert.encoder.layer.",
    outside: &[
        Named::new(
            Part::Embedding.weight(),
            "bert.embeddings.word_embeddings.weight",
            "token_embd.weight",
        ),
        Named::new(
            Part::Positions.weight(),
            "bert.embeddings.position_embeddings.weight",
            "position_embd.weight",
        ),
        Named::new(
            Part::Segments.weight(),
            "bert.embeddings.token_type_embeddings.weight",
            "token_types.weight",
        ),
        Named::new(
            Part::EmbeddingNorm.weight(),
            "bert.embeddings.LayerNorm.weight",
            "token_embd_norm.weight",
        ),
        Named::new(
            Part::EmbeddingNorm.bias(),
            "bert.embeddings.LayerNorm.bias",
            "token_embd_norm.bias",
        ),
        Named::new(
            Part::HeadTransform.weight(),
            "cls.predictions.transform.dense.weight",
            "-",
        ),
        Named::new(
            Part::HeadTransform.bias(),
            "cls.predictions.transform.dense.bias",
            "-",
        ),
        Named::new(
            Part::HeadNorm.weight(),
            "cls.predictions.transform.LayerNorm.weight",
            "-",
        ),
        Named::new(
            Part::HeadNorm.bias(),
            "cls.predictions.transform.LayerNorm.bias",
            "-",
        ),
        Named::new(Part::Head.weight(), "cls.predictions.decoder.weight", "-"),
        Named::new(Part::Head.bias(), "cls.predictions.bias", "-"),
        Named::new(Part::Head.bias(), "cls.predictions.decoder.bias", "-"),
    ],
    layer: LAYER,
    // What pools a text into one vector or classifies it, and a list of numbers.
    ignored: &[
        "bert.pooler.",
        "cls.seq_relationship.",
        "classifier.",
        "qa_outputs.",
        ".position_ids",
    ],
    examples: &[Example::untested(
        "hf:google-bert/bert-base-uncased",
        "Apache-2.0",
        440,
    )],
};

/// The tensors of a layer, as BERT and RoBERTa name them.
const LAYER: &[Named] = &[
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

/// An encoder besides its sizes.
struct Encoder {
    norm: Norm,
    activation: Activation,
    d_ff: usize,
    layers: usize,
    positions: LearnedPositions,
    segments: Option<usize>,
}

impl Encoder {
    /// Completes `spec`: learned positions, layers that see everything, norms behind each part, and the transformation before
    /// the head, where there is one.
    fn complete(&self, mut spec: Spec) -> Spec {
        let behind = Norms {
            sum: Some(self.norm),
            ..Norms::default()
        };
        spec.embedding = EmbeddingSpec {
            scale: 1.0,
            positions: Some(self.positions),
            segments: self.segments,
            norm: Some(self.norm),
        };
        let layer = LayerSpec {
            attention: AttentionSpec {
                scale: 1.0 / (spec.head_dim as f32).sqrt(),
                span: Span::Bidirectional,
                soft_cap: None,
                sinks: false,
                alibi: None,
                rope: None,
                qk_norm: None,
                qkv_bias: true,
                output_bias: true,
                values: true,
            },
            attention_norms: behind,
            feed_forward: Some(FeedForwardSpec {
                d_ff: self.d_ff,
                activation: self.activation,
                gated: false,
                bias: true,
            }),
            feed_forward_norms: behind,
            parallel: false,
            residual_scale: 1.0,
        };
        spec.layers = vec![layer; self.layers];
        spec.head = spec.head.map(|head| HeadSpec {
            bias: true,
            transform: Some((self.activation, self.norm)),
            masked: true,
            ..head
        });
        spec
    }
}

/// BERT's and RoBERTa's config.json; position 0 is row `first` of the table.
fn read_folder(settings: &mut Settings, family: &Family, first: usize) -> Result<Spec, Error> {
    let head = folder::head(settings, family, true)?;
    let (d, heads) = (
        settings.required_size("hidden_size")?,
        settings.required_size("num_attention_heads")?,
    );
    if !d.is_multiple_of(heads) {
        let expected = format!("a divisor of hidden_size, {d}");
        return Err(settings.invalid("num_attention_heads", &heads.into(), &expected));
    }
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

/// llama.cpp's files keep no head for masked words.
fn read_gguf(settings: &mut Settings, weights: &Weights, family: &Family) -> Result<Spec, Error> {
    let sizes = gguf::sizes(settings, weights)?;
    settings.only("attention.causal", &json!(false))?;
    settings.ignore(&["pooling_type"]);
    let segments = weights.contains("token_types.weight");
    let encoder = Encoder {
        norm: Norm {
            kind: NormKind::Layer,
            eps: settings.required_positive("attention.layer_norm_epsilon")?,
        },
        activation: Activation::Gelu,
        d_ff: sizes.d_ff,
        layers: sizes.layers,
        positions: LearnedPositions {
            rows: weights.get("position_embd.weight")?.shape[0],
            first: 0,
        },
        segments: match segments {
            true => Some(weights.get("token_types.weight")?.shape[0]),
            false => None,
        },
    };
    if encoder.positions.rows < sizes.context_length {
        let expected = format!(
            "at most the {} rows of position_embd.weight",
            encoder.positions.rows
        );
        let found = sizes.context_length.into();
        return Err(settings.invalid("context_length", &found, &expected));
    }
    Ok(encoder.complete(sizes.spec(family)))
}
