//! Settings as most families name them: those of `transformers` in config.json, and GGUF's keys.

pub(super) mod experts;
pub(crate) mod folder;
pub(crate) mod gguf;
pub(super) mod gguf_rope;
pub(super) mod heads;
mod known;
pub(super) mod plain;
pub(super) mod rope;
pub(super) mod windows;
