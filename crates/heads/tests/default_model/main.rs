//! Analyses of the default model, against values that a published implementation computed (tests/data).

mod common;
mod probes;
mod scores;
mod who;
