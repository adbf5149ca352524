//! The program itself: what it prints, what it refuses, and how it ends.
#![cfg(unix)]

mod bad_checkpoint;
mod bad_text;
mod commands;
mod fetching;
mod interventions;
mod one_input;
mod pictures;
mod program;
mod trace_kinds;
mod traces;
