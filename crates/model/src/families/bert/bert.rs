//! BERT itself.

use serde_json::json;

use super::encoder::Encoder;
use super::shared::{LAYER, read_folder};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Named};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::families::config::gguf;
use crate::spec::{Activation, LearnedPositions, Norm, NormKind, Part, Spec};

pub(crate) const FAMILY: Family = Family {
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
        Named::new(Part::Head.bias(), "cls.predictions.decoder.bias", "-"),
        Named::new(Part::Head.bias(), "cls.predictions.bias", "-"),
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
    examples: &[
        Example::tested(
            "hf:sentence-transformers/all-MiniLM-L6-v2",
            "Apache-2.0",
            91,
        ),
        Example::untested("hf:google-bert/bert-base-uncased", "Apache-2.0", 440),
    ],
};

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
