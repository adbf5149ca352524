//! Pictures of what heads look back at, without a server.
//!
//! - [`terminal`] draws a [`Look`](lookback_heads::Look) and an [`Explanation`](lookback_heads::explain::Explanation) as lines of text
//!   for a terminal of any width, with colours that a pipe can do without;
//! - [`table`] holds tables of numbers, and writes them as JSON, CSV, Parquet and npy;
//! - [`weights_file`] writes the weights of many heads as npy or Parquet, piece by piece; [`npy`] is that format's header;
//! - [`svg`] draws one head's map, and the text with what a word gives and receives, for a paper;
//! - [`png`] gives the same drawings as pixels;
//! - [`page`] writes one HTML file that keeps the text view and the map of all heads;
//! - [`pooled`] and [`grid`] are what pictures of the map are made of.
//!
//! ```
//! use lookback_heads::{Look, LookOptions};
//! use lookback_view::terminal::{self, LookPicture};
//!
//! let trace = lookback_heads::example::Example::default().trace();
//! let look = Look::new(&trace, &LookOptions::default())?;
//! let mut out = Vec::new();
//! terminal::write_look(&mut out, &look, &LookPicture::default())?;
//! assert!(String::from_utf8(out)?.contains("Vatsal"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod fonts;
pub mod grid;
pub mod labels;
pub mod npy;
pub mod page;
pub mod png;
pub mod pooled;
pub mod svg;
pub mod table;
pub mod terminal;
pub mod weights_file;

pub use error::Error;

/// The example of the crate's README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
