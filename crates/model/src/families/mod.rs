//! Model families, a page of data each: which settings mean what, which tensors have which names in both file formats,
//! and the [specification](crate::spec::Spec) that follows. One engine runs them all.

mod bert;
mod bloom;
mod config;
mod falcon;
mod gemma;
mod gpt2;
mod gpt_oss;
mod gptneox;
mod granite;
mod llama;
mod modernbert;
mod olmo2;
mod opt;
mod phi3;
mod pronoun;
mod qwen;
mod qwen_moe;
mod smollm3;

use crate::checkpoint::family::{Families, Family};
pub(crate) use config::{folder, gguf};

/// All families.
pub(crate) const FAMILIES: Families = &[
    &llama::FAMILY,
    &gpt2::FAMILY,
    &gptneox::FAMILY,
    &qwen::QWEN2,
    &qwen::QWEN3,
    &qwen_moe::QWEN2_MOE,
    &qwen_moe::QWEN3_MOE,
    &gpt_oss::FAMILY,
    &gemma::GEMMA2,
    &gemma::GEMMA3,
    &phi3::FAMILY,
    &olmo2::FAMILY,
    &smollm3::FAMILY,
    &granite::FAMILY,
    &opt::FAMILY,
    &bloom::FAMILY,
    &falcon::FAMILY,
    &bert::BERT,
    &bert::ROBERTA,
    &bert::DISTILBERT,
    &modernbert::FAMILY,
    &pronoun::FAMILY,
];

pub use crate::checkpoint::family::Example;

/// Well-known checkpoints to start from, by the family's name.
pub fn examples() -> impl Iterator<Item = (&'static str, &'static Example)> {
    let of = |family: &&'static Family| {
        let architecture = family.architecture;
        family
            .examples
            .iter()
            .map(move |example| (architecture, example))
    };
    FAMILIES.iter().flat_map(of)
}

/// Architectures that this crate implements, by the names that checkpoints use.
#[must_use]
pub fn supported() -> Vec<&'static str> {
    FAMILIES.iter().map(|family| family.architecture).collect()
}
