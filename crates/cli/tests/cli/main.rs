//! The program itself: what it prints, what it refuses, and how it ends.
#![cfg(unix)]

mod bad_checkpoint;
mod bad_text;
mod commands;
mod families;
mod fetching;
mod flags;
mod interventions;
mod one_input;
mod open_checkpoints;
mod pictures;
mod program;
mod serving;
mod threads;
mod trace_kinds;
mod traces;
