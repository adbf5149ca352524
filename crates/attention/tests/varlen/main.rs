//! Packed batches against the reference and against each sequence alone.

mod backward;
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod empty;
mod errors;
mod forward;
mod hostile;
mod interface;
mod observe;
