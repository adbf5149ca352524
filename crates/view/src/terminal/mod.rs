//! Pictures for a terminal.
//!
//! Lines are never wider than asked, counted in the columns that a terminal gives each character
//! ([Unicode Standard Annex 11](https://www.unicode.org/reports/tr11/), as the crate `unicode-width` reads it). What
//! comes from a text or a model is cleaned first: nothing in it reaches the terminal as a command. Colours are the
//! terminal's own, of the sixteen, and only those that can be read on white and on black; none says anything that the
//! words, the order or the numbers do not say as well.
//!
//! Whoever prints strips the colours where they are not wanted, for example with `anstream`.

mod bar;
mod candidates;
mod clean;
mod error;
mod explanation;
mod flow;
mod focus;
mod line;
mod look;
mod matrix;
mod number;
mod palette;
mod row;
mod scores;
mod set;
mod step;
mod table;
mod tokens;
mod who;

pub use error::Error;
pub use explanation::{ExplanationPicture, write_explanation};
pub use focus::LookPicture;
pub use look::write_look;
pub use number::{percent, points};
pub use scores::{PARTS, write_table, write_table_of_parts};
pub use set::write_set;
pub use who::write_who;

/// The narrowest picture, in columns; asked for fewer, it takes this many.
pub const NARROWEST: usize = 20;

/// The widest: longer lines of prose are hard to read, and longer bars say no more.
pub const WIDEST: usize = 100;

/// The columns that a picture takes where `asked` are there.
fn columns(asked: usize) -> usize {
    asked.clamp(NARROWEST, WIDEST)
}
