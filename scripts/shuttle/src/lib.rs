//! What threads share, under a scheduler that tries one order of their steps after the other:
//! `cargo test --manifest-path scripts/shuttle/Cargo.toml`. The files under test are the project's own.
#![allow(dead_code, unreachable_pub)]

#[path = "../../../crates/serve/src/running.rs"]
mod running;

#[path = "../../../crates/model/src/tokenizer/left_alone.rs"]
mod left_alone;

#[path = "../../../crates/attention/src/threads.rs"]
mod threads;

#[path = "../../../crates/attention/src/observe/merge.rs"]
mod merge;

#[path = "../../../crates/attention/src/backward/queue.rs"]
mod queue;

#[path = "../../../crates/attention/src/forward/heads.rs"]
mod heads;

/// A task of a head that says which it is and nothing else.
mod task {
    pub(crate) struct Task<'a>(
        pub(crate) usize,
        pub(crate) std::marker::PhantomData<&'a ()>,
    );
}

/// What blocks are packed into, by the name that the kernel's files know it by.
extern crate self as lookback_simd;

#[derive(Debug, Clone, Copy)]
pub struct Line;

mod pack {
    use crate::Line;

    /// A packed block: of which head, and which it is.
    pub(crate) struct KvBlock {
        pub(crate) place: (usize, usize),
        pub(crate) memory: Vec<Line>,
    }

    impl KvBlock {
        pub(crate) fn into_memory(self) -> Vec<Line> {
            self.memory
        }
    }
}

mod once;
mod rayon;

#[cfg(test)]
mod questions;
#[cfg(test)]
mod team;
