//! OLMo 2 (OLMo Team 2024, <https://arxiv.org/abs/2501.00656>): Llama whose norms stand behind each part instead of before it,
//! with norms of the queries and of the keys of all heads together.

use super::config::folder::{self, Defaults};
use super::config::gguf;
use super::gemma::LAYER;
use super::llama::{IGNORED, OUTSIDE};
use crate::checkpoint::family::{Example, Family};
use crate::spec::{Activation, Norms, QkNorm, Spec};

pub(super) const FAMILY: Family = Family {
    architecture: "olmo2",
    model_types: &["olmo2"],
    classes: &["Olmo2ForCausalLM"],
    base_classes: &["Olmo2Model"],
    folder: |settings, family| {
        folder::explicit(settings, "olmo2", &["rms_norm_eps"])?;
        let mut spec = folder::decoder(settings, family, Defaults::LLAMA)?;
        folder::attention_bias(settings, &mut spec)?;
        move_norms(&mut spec);
        Ok(spec)
    },
    gguf: |settings, weights, family| {
        let mut spec = gguf::decoder(settings, weights, family, Activation::Silu)?;
        move_norms(&mut spec);
        Ok(spec)
    },
    base_prefix: "model.",
    layer_prefix: "model.layers.",
    outside: OUTSIDE,
    layer: LAYER,
    ignored: IGNORED,
    examples: &[Example::untested(
        "hf:allenai/OLMo-2-0425-1B",
        "Apache-2.0",
        5940,
    )],
};

/// Puts the norms before each part behind it, and norms of queries and keys before they turn.
fn move_norms(spec: &mut Spec) {
    for layer in &mut spec.layers {
        layer.attention.qk_norm = layer.attention_norms.before.map(QkNorm::AllHeads);
        for norms in [&mut layer.attention_norms, &mut layer.feed_forward_norms] {
            *norms = Norms {
                output: norms.before,
                ..Norms::default()
            };
        }
    }
}
