//! Python's two ways of writing values into a text.

mod braces;
mod layout;
mod percent;

pub(super) use braces::braces;
pub(super) use percent::percent;
