//! The small `pronoun` model: the notes' multi-head attention over frozen embeddings, and a last layer that points.
//!
//! Each layer but the last adds Attention(norm(x)) to x, with its own W_q, W_k, W_v and W_o, RMSNorm before it and
//! rotary position embedding; there is no feed-forward part. The last layer is the pointer: heads with W_q and W_k only.
//! What it was trained for is where its rows look, so that nothing flows on from it, and the model has no output head:
//! it points, and writes nothing. `lookback-learn` trains it and writes its files: GGUF only, under GGUF's own names.

use serde_json::json;

use super::config::folder;
use super::config::heads::even;
use super::config::plain::Plain;
use crate::checkpoint::Error;
use crate::checkpoint::family::{Family, Named};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{Activation, EmbeddingSpec, LayerSpec, Norm, NormKind, Part, Rope, Spec};

const EMBEDDINGS: &str = "token_embd.weight";

pub(super) const FAMILY: Family = Family {
    architecture: "pronoun",
    model_types: &[],
    classes: &[],
    base_classes: &[],
    folder: |settings, family| folder::decoder(settings, family, folder::Defaults::LLAMA),
    gguf: read_gguf,
    base_prefix: "",
    layer_prefix: "blk.",
    outside: &[Named::new(Part::Embedding.weight(), EMBEDDINGS, EMBEDDINGS)],
    layer: &[
        Named::new(
            Part::AttentionNorm.weight(),
            "attn_norm.weight",
            "attn_norm.weight",
        ),
        Named::new(Part::Q.weight(), "attn_q.weight", "attn_q.weight"),
        Named::new(Part::K.weight(), "attn_k.weight", "attn_k.weight"),
        Named::new(Part::V.weight(), "attn_v.weight", "attn_v.weight"),
        Named::new(
            Part::Output.weight(),
            "attn_output.weight",
            "attn_output.weight",
        ),
    ],
    ignored: &[],
    examples: &[],
};

/// Reads the keys `pronoun.*`.
fn read_gguf(settings: &mut Settings, weights: &Weights, family: &Family) -> Result<Spec, Error> {
    let heads = settings.required_size("attention.head_count")?;
    let head_dim = settings.required_size("attention.key_length")?;
    let head_dim = even(settings, "attention.key_length", head_dim)?;
    settings.only("attention.value_length", &json!(head_dim))?;
    let norm = Norm {
        kind: NormKind::Rms,
        eps: settings.required_positive("attention.layer_norm_rms_epsilon")?,
    };
    let theta = settings.required_positive("rope.freq_base")?;
    let plain = Plain {
        head_dim,
        norm,
        rope: Some(Rope::plain(theta, head_dim)),
        activation: Activation::Silu,
        d_ff: 0,
    };
    let mut layer: LayerSpec = plain.layer();
    layer.feed_forward = None;
    layer.feed_forward_norms.before = None;
    let mut layers = vec![layer; settings.required_layers("block_count")?];
    if let Some(pointer) = layers.last_mut() {
        pointer.attention.values = false;
    }
    Ok(Spec {
        architecture: family.architecture,
        d: settings.required_size("embedding_length")?,
        heads,
        kv_heads: heads,
        head_dim,
        vocab: weights.get(EMBEDDINGS)?.shape[0],
        context_length: settings.required_size("context_length")?,
        embedding: EmbeddingSpec::default(),
        layers,
        final_norm: None,
        head: None,
    })
}
