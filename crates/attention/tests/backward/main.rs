//! Gradients: the reference against finite differences, the fused pass against the reference.

mod cases;
#[path = "../common/mod.rs"]
mod common;
mod finite_differences;
mod fused;
mod interface;
mod not_finite;
