//! Traces from outside: what is asked of them, saved of them, and refused.

mod common;
mod file;
mod hostile;
mod mean_rows;
mod observing;
mod saving;
mod statistics;
mod weights;
mod words;
