//! No call of the safe interface panics: whatever the shapes, strides, values and options, there is an answer or an error.

mod calls;
mod observers;
mod operands;
