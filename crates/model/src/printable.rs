//! Texts of files in messages.

pub(crate) use lookback_trace::{printable, printable_message, quoted};
