//! Observers against the f64 reference.

mod asked;
mod calls;
#[path = "../common/mod.rs"]
mod common;
mod distances;
mod exact;
mod fused;
mod lists;
mod not_finite;
