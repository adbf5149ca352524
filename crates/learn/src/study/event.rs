//! What a caller hears of a study while it runs.

use std::ops::ControlFlow;

use super::setting::Setting;
use crate::record::Record;

/// What happens while a study runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// A run begins, `done` of `all` being finished.
    Begin {
        /// The setting.
        setting: &'a Setting,
        /// The seed.
        seed: u64,
        /// Runs finished.
        done: usize,
        /// Runs in all.
        all: usize,
        /// Steps that it takes at most.
        steps: usize,
    },
    /// A step was done.
    Step(&'a Record),
}

/// What a caller does at each [`Event`]: go on, or stop there.
pub type Observer<'a> = &'a mut dyn FnMut(&Event) -> ControlFlow<()>;
