//! Analyses of the default model, against values that a published implementation computed (tests/data).
#![allow(clippy::print_stdout, reason = "what is measured is printed")]

mod common;
mod means;
mod prediction;
mod probes;
mod scores;
mod who;
