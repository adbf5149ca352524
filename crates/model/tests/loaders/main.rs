//! Checkpoints, tokenizers and chat templates: files in, checked values out.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/texts.rs"]
mod texts;

mod chat;
mod gguf_bytes;
mod golden_tokens;
mod hostile_config;
mod hostile_folder;
mod hostile_gguf;
mod hostile_tokenizer;
mod messages;
mod probes;
mod properties;
mod random_texts;
mod tiny;
mod tokenizer_steps;
