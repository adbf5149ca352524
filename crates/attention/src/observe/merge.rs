//! Putting the blocks' results together in a fixed order, whoever is done first.

use std::collections::BTreeMap;
use std::sync::PoisonError;

#[cfg(shuttle)]
use shuttle::sync::Mutex;
#[cfg(not(shuttle))]
use std::sync::Mutex;

/// The output, and the blocks that wait for those before them: no more than there are threads, about.
pub(super) struct Merger<T, B, F> {
    /// Takes into the output what block `.1` leaves.
    merge: F,
    state: Mutex<State<T, B>>,
}

struct State<T, B> {
    output: T,
    /// The block whose turn it is.
    turn: usize,
    waiting: BTreeMap<usize, B>,
}

impl<T, B, F: Fn(&mut T, usize, B)> Merger<T, B, F> {
    /// Nothing merged yet.
    pub(super) fn new(output: T, merge: F) -> Merger<T, B, F> {
        let state = State {
            output,
            turn: 0,
            waiting: BTreeMap::new(),
        };
        Merger {
            merge,
            state: Mutex::new(state),
        }
    }

    /// Merges what block `at` leaves, as soon as all before it are merged.
    pub(super) fn add(&self, at: usize, block: B) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.insert(at, block);
        let State {
            output,
            turn,
            waiting,
        } = &mut *state;
        while let Some(block) = waiting.remove(turn) {
            (self.merge)(output, *turn, block);
            *turn += 1;
        }
    }

    /// The output, when all blocks are added.
    pub(super) fn finish(self) -> T {
        let state = self.state.into_inner();
        state.unwrap_or_else(PoisonError::into_inner).output
    }
}
