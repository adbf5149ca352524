//! No call of the safe interface panics: whatever the shapes, strides, values and options, there is an answer or an error.

#[path = "../common/mod.rs"]
mod common;

mod calls;
mod observers;
