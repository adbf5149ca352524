//! The fused forward pass and the weights against the f64 reference.

mod calls;
#[path = "../common/mod.rs"]
mod common;
mod exact;
mod not_finite;
mod scores;
