//! Model families: one file each.

/// Architectures that this crate implements, by the names that checkpoints use.
pub const SUPPORTED: &[&str] = &["llama"];
