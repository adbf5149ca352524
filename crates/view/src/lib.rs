//! Pictures of what heads look back at, without a server.
//!
//! [`terminal`] draws a [`Look`](lookback_heads::Look) and a [`Walk`](lookback_heads::explain::Walk) as lines of text
//! for a terminal of any width, with colours that a pipe can do without.
//!
//! ```
//! use lookback_heads::{Look, LookOptions};
//! use lookback_view::terminal::{self, LookPicture};
//!
//! let trace = lookback_heads::example::Example::default().trace();
//! let look = Look::new(&trace, &LookOptions::default())?;
//! let mut out = Vec::new();
//! terminal::write_look(&mut out, &look, &LookPicture::default())?;
//! assert!(String::from_utf8(out)?.contains("he looks back at"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod terminal;
