//! RoBERTa: BERT without segments, whose positions begin behind the padding token's row.

use serde_json::Value;

use super::shared::{LAYER, read_folder};
use crate::checkpoint::family::{Example, Family, Named};
use crate::families::config::gguf;
use crate::spec::{Activation, Part};

pub(crate) const FAMILY: Family = Family {
    architecture: "roberta",
    model_types: &["roberta"],
    classes: &["RobertaForMaskedLM"],
    base_classes: &[
        "RobertaModel",
        "RobertaForSequenceClassification",
        "RobertaForTokenClassification",
        "RobertaForQuestionAnswering",
    ],
    folder: |settings, family| {
        let padding = settings.peek("pad_token_id").and_then(Value::as_u64);
        // A padding id is far below 2³².
        let first = padding.unwrap_or(1).min(u64::from(u32::MAX)) as usize + 1;
        let mut spec = read_folder(settings, family, first)?;
        // Whatever the layers have, its head has the exact GELU.
        if let Some(transform) = spec.head.as_mut().and_then(|head| head.transform.as_mut()) {
            transform.activation = Activation::Gelu;
        }
        Ok(spec)
    },
    gguf: gguf::folder_only,
    base_prefix: "roberta.",
    layer_prefix: "roberta.encoder.layer.",
    outside: &[
        Named::new(
            Part::Embedding.weight(),
            "roberta.embeddings.word_embeddings.weight",
            "-",
        ),
        Named::new(
            Part::Positions.weight(),
            "roberta.embeddings.position_embeddings.weight",
            "-",
        ),
        Named::new(
            Part::Segments.weight(),
            "roberta.embeddings.token_type_embeddings.weight",
            "-",
        ),
        Named::new(
            Part::EmbeddingNorm.weight(),
            "roberta.embeddings.LayerNorm.weight",
            "-",
        ),
        Named::new(
            Part::EmbeddingNorm.bias(),
            "roberta.embeddings.LayerNorm.bias",
            "-",
        ),
        Named::new(Part::HeadTransform.weight(), "lm_head.dense.weight", "-"),
        Named::new(Part::HeadTransform.bias(), "lm_head.dense.bias", "-"),
        Named::new(Part::HeadNorm.weight(), "lm_head.layer_norm.weight", "-"),
        Named::new(Part::HeadNorm.bias(), "lm_head.layer_norm.bias", "-"),
        Named::new(Part::Head.weight(), "lm_head.decoder.weight", "-"),
        Named::new(Part::Head.bias(), "lm_head.decoder.bias", "-"),
        Named::new(Part::Head.bias(), "lm_head.bias", "-"),
    ],
    layer: LAYER,
    // What pools a text into one vector or classifies it, and a list of numbers.
    ignored: &[
        "roberta.pooler.",
        "classifier.",
        "qa_outputs.",
        ".position_ids",
    ],
    examples: &[Example::untested("hf:FacebookAI/roberta-base", "MIT", 499)],
};
