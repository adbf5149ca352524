//! Traces from outside: what is asked of them, saved of them, and refused.

mod common;
mod file;
mod hostile;
mod masks;
mod mean_rows;
mod observing;
mod precision;
mod saving;
mod statistics;
mod version_2;
mod weights;
mod words;
