//! Observers against the f64 reference.

#[path = "../common/mod.rs"]
mod common;

mod calls;
mod exact;
