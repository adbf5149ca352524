//! Putting the blocks' results together in a fixed order, whoever is done first.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{Observer, QueryBlock};
use crate::Error;

/// The output, and the blocks that wait for those before them: no more than there are threads, about.
pub(super) struct Merger<'a, O: Observer> {
    observer: &'a O,
    blocks: &'a [QueryBlock<'a>],
    state: Mutex<State<O>>,
}

struct State<O: Observer> {
    output: O::Output,
    /// The block whose turn it is.
    turn: usize,
    waiting: BTreeMap<usize, O::Block>,
}

impl<'a, O: Observer> Merger<'a, O> {
    /// Nothing merged yet.
    ///
    /// # Errors
    /// What the observer refuses.
    pub(super) fn new(observer: &'a O, blocks: &'a [QueryBlock<'a>]) -> Result<Self, Error> {
        let walk = blocks[0].walk;
        let state = State {
            output: observer.start(walk)?,
            turn: 0,
            waiting: BTreeMap::new(),
        };
        Ok(Merger {
            observer,
            blocks,
            state: Mutex::new(state),
        })
    }

    /// Merges what block `at` leaves, as soon as all before it are merged.
    pub(super) fn add(&self, at: usize, block: O::Block) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.insert(at, block);
        let State {
            output,
            turn,
            waiting,
        } = &mut *state;
        while let Some(block) = waiting.remove(turn) {
            self.observer.merge(output, &self.blocks[*turn], block);
            *turn += 1;
        }
    }

    /// The output, when all blocks are added.
    pub(super) fn finish(self) -> O::Output {
        let state = self.state.into_inner();
        let mut output = state.unwrap_or_else(PoisonError::into_inner).output;
        self.observer.finish(&mut output);
        output
    }
}
