//! DistilBERT: BERT of half the layers, without segments.

use super::encoder::Encoder;
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Named};
use crate::checkpoint::settings::Settings;
use crate::families::config::heads::equal_heads;
use crate::families::config::{folder, gguf};
use crate::spec::{Activation, EmbeddingSpec, LearnedPositions, Norm, NormKind, Part, Spec};

pub(crate) const FAMILY: Family = Family {
    architecture: "distilbert",
    model_types: &["distilbert"],
    classes: &["DistilBertForMaskedLM"],
    base_classes: &[
        "DistilBertModel",
        "DistilBertForSequenceClassification",
        "DistilBertForTokenClassification",
        "DistilBertForQuestionAnswering",
    ],
    folder: read_folder,
    gguf: gguf::folder_only,
    base_prefix: "distilbert.",
    layer_prefix: "distilbert.transformer.layer.",
    outside: &[
        Named::new(
            Part::Embedding.weight(),
            "distilbert.embeddings.word_embeddings.weight",
            "-",
        ),
        Named::new(
            Part::Positions.weight(),
            "distilbert.embeddings.position_embeddings.weight",
            "-",
        ),
        Named::new(
            Part::EmbeddingNorm.weight(),
            "distilbert.embeddings.LayerNorm.weight",
            "-",
        ),
        Named::new(
            Part::EmbeddingNorm.bias(),
            "distilbert.embeddings.LayerNorm.bias",
            "-",
        ),
        Named::new(Part::HeadTransform.weight(), "vocab_transform.weight", "-"),
        Named::new(Part::HeadTransform.bias(), "vocab_transform.bias", "-"),
        Named::new(Part::HeadNorm.weight(), "vocab_layer_norm.weight", "-"),
        Named::new(Part::HeadNorm.bias(), "vocab_layer_norm.bias", "-"),
        Named::new(Part::Head.weight(), "vocab_projector.weight", "-"),
        Named::new(Part::Head.bias(), "vocab_projector.bias", "-"),
    ],
    layer: &[
        Named::new(Part::Q.weight(), "attention.q_lin.weight", "-"),
        Named::new(Part::Q.bias(), "attention.q_lin.bias", "-"),
        Named::new(Part::K.weight(), "attention.k_lin.weight", "-"),
        Named::new(Part::K.bias(), "attention.k_lin.bias", "-"),
        Named::new(Part::V.weight(), "attention.v_lin.weight", "-"),
        Named::new(Part::V.bias(), "attention.v_lin.bias", "-"),
        Named::new(Part::Output.weight(), "attention.out_lin.weight", "-"),
        Named::new(Part::Output.bias(), "attention.out_lin.bias", "-"),
        Named::new(Part::AttentionSumNorm.weight(), "sa_layer_norm.weight", "-"),
        Named::new(Part::AttentionSumNorm.bias(), "sa_layer_norm.bias", "-"),
        Named::new(Part::Up.weight(), "ffn.lin1.weight", "-"),
        Named::new(Part::Up.bias(), "ffn.lin1.bias", "-"),
        Named::new(Part::Down.weight(), "ffn.lin2.weight", "-"),
        Named::new(Part::Down.bias(), "ffn.lin2.bias", "-"),
        Named::new(
            Part::FeedForwardSumNorm.weight(),
            "output_layer_norm.weight",
            "-",
        ),
        Named::new(
            Part::FeedForwardSumNorm.bias(),
            "output_layer_norm.bias",
            "-",
        ),
    ],
    // What classifies a text, and a list of numbers.
    ignored: &["classifier.", "qa_outputs.", ".position_ids"],
    examples: &[Example::untested(
        "hf:distilbert/distilbert-base-uncased",
        "Apache-2.0",
        268,
    )],
};

fn read_folder(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    let head = folder::head(settings, family, true)?;
    let (d, heads) = equal_heads(settings, ("dim", "n_heads"))?;
    // Sinusoids are stored as a table like learned positions; the rest is dropout and heads for classes.
    settings.ignore(&[
        "sinusoidal_pos_embds",
        "tie_weights_",
        "dropout",
        "qa_dropout",
        "seq_classif_dropout",
    ]);
    let rows = settings.size("max_position_embeddings")?.unwrap_or(512);
    let encoder = Encoder {
        norm: Norm {
            kind: NormKind::Layer,
            eps: 1e-12,
        },
        activation: folder::activation(settings, &["activation"])?.unwrap_or(Activation::Gelu),
        d_ff: settings.required_size("hidden_dim")?,
        layers: settings.required_layers("n_layers")?,
        positions: LearnedPositions { rows, first: 0 },
        segments: None,
    };
    Ok(encoder.complete(Spec {
        architecture: family.architecture,
        d,
        heads,
        kv_heads: heads,
        head_dim: d / heads,
        vocab: settings.required_size("vocab_size")?,
        context_length: rows,
        embedding: EmbeddingSpec::default(),
        layers: Vec::new(),
        final_norm: None,
        head,
    }))
}
