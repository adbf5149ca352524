//! Transformer checkpoints in, logits and a trace out.
