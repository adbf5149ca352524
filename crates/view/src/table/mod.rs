//! Tables of numbers, as files that other programs read: JSON, CSV, Parquet and npy.

mod columns;
mod csv;
mod error;
mod heads;
mod npy;
mod parquet;
mod save;

pub use columns::{Column, Table, Values};
pub use error::Error;
pub use heads::of_heads;
pub use save::Kind;
