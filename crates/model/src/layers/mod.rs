//! Building blocks that model families share. Activations are plain row-major `f32`; candle multiplies them by
//! weights, and what happens between two products is a loop over rows.

mod eight_bit;
mod linear;
mod output_head;
mod rms_norm;
mod rope;
mod rows;
mod sixteen_bit;
mod swiglu;
mod tensor;
mod value_norms;
mod weight_types;

pub(crate) use linear::Linear;
pub(crate) use output_head::OutputHead;
pub(crate) use rms_norm::RmsNorm;
pub(crate) use rope::{HeadColumns, RopeFrequencies, RopeTable, split_heads};
pub(crate) use rows::{add_rows, from_rows, row_chunks, rows, rows_mut};
pub(crate) use swiglu::swiglu;
pub(crate) use tensor::to_array;
pub(crate) use value_norms::ValueNorms;
pub(crate) use weight_types::describe;
