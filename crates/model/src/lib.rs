//! Transformer checkpoints in, logits and a trace out.

pub mod chat;
pub mod checkpoint;
pub mod tokenizer;
