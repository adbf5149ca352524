//! Pictures of a trace without a server.
//!
//! - [`svg`]: one head's map, and the text with what a word gives and receives, as drawings for a paper;
//! - [`png`]: the same drawings as pixels;
//! - [`page`]: one HTML file that keeps the text view and the map of all heads;
//! - [`pooled`] and [`grid`]: what pictures of the map are made of.

mod error;
pub mod grid;
pub mod labels;
pub mod page;
pub mod png;
pub mod pooled;
pub mod svg;

pub use error::Error;
