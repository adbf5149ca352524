//! Drawings as SVG, sized for a paper's column: text stays text, and weights are vector shapes.
//!
//! A unit is a tenth of a millimetre. [`png`](crate::png) turns the same drawings into pixels.

mod canvas;
mod heads;
mod map;
mod rows;
mod shades;
mod style;
mod text;

pub use heads::{HeadScores, HeadsOptions, heads};
pub use map::{MapOptions, map};
pub use rows::{TextRow, rows};
pub use style::{LOG_DECADES, Scale, Theme};
pub use text::{TextOptions, text};
