//! Pictures for the terminal: how they look, and that they fit whatever the text and the width.

mod explanation;
mod look;
mod plain;
