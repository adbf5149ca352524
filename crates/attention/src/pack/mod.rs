//! Packing: operands rearranged into the order in which the microkernel reads them.
//!
//! | operand | packed as | read as |
//! | --- | --- | --- |
//! | Q, `ROWS` queries | [`pack_queries`] `[d_k/16][ROWS][16]`, times a factor | strip of the scores |
//! | K, up to [`BLOCK`] keys | [`KvBlock`] `[keys/16][d_k][16]` | panels of the scores |
//! | V, the same keys | [`KvBlock`] `[d_v/16][keys][16]` | panels of the weighted sum |
//!
//! Keys and values are packed once for a key/value head and shared by the query heads of its group.

mod block;
mod queries;
mod rows;

pub(crate) use block::{BLOCK, KvBlock, pack_keys};
pub(crate) use queries::pack_queries;
pub(crate) use rows::Rows;
