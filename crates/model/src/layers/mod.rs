//! Building blocks that model families share. Activations are plain row-major `f32`; [`Linear`] multiplies them by
//! weights, and what happens between two products is a loop over rows.

mod activation;
mod eight_bit;
mod linear;
mod math;
mod norm;
mod output_head;
mod packed;
mod rope;
mod rows;
mod sixteen_bit;
mod tensor;
mod value_norms;
mod weight_types;

pub(crate) use activation::Inner;
pub(crate) use linear::{Linear, Multiplier, Product};
pub(crate) use norm::Norm;
pub(crate) use output_head::OutputHead;
pub(crate) use rope::{HeadColumns, HeadRows, RopeTable, split_heads};
pub(crate) use rows::{add_rows, from_rows, row_chunks, rows, rows_mut};
pub(crate) use tensor::to_array;
pub(crate) use value_norms::ValueNorms;
pub(crate) use weight_types::{WeightTypes, describe};
