//! A walk over weights that can be stopped.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use lookback_attention::observe::{Area, Observer, QueryBlock, Tile, Walk};

use crate::{Error, Trace};

impl Trace {
    /// As [`observe`](Self::observe), for whoever may lose interest meanwhile: once `cancel` is set, no more weights are
    /// computed, and there is no answer.
    ///
    /// # Errors
    /// As [`observe`](Self::observe).
    pub fn observe_cancellable<O: Observer>(
        &self,
        layer: usize,
        observer: &O,
        cancel: &AtomicBool,
    ) -> Result<Option<O::Output>, Error> {
        let output = self.observe(layer, &Cancellable { observer, cancel })?;
        Ok((!cancel.load(Ordering::Relaxed)).then_some(output))
    }
}

/// An observer that wants nothing any more once `cancel` is set.
struct Cancellable<'a, O> {
    observer: &'a O,
    cancel: &'a AtomicBool,
}

impl<O: Observer> Observer for Cancellable<'_, O> {
    type Block = O::Block;
    type Output = O::Output;

    fn start(&self, walk: &Walk) -> Result<Self::Output, lookback_attention::Error> {
        self.observer.start(walk)
    }

    fn block(&self, block: &QueryBlock) -> Self::Block {
        self.observer.block(block)
    }

    fn tile(&self, state: &mut Self::Block, tile: &Tile) {
        self.observer.tile(state, tile);
    }

    fn end(&self, block: &QueryBlock, state: &mut Self::Block) {
        self.observer.end(block, state);
    }

    fn merge(&self, output: &mut Self::Output, block: &QueryBlock, state: Self::Block) {
        self.observer.merge(output, block, state);
    }

    fn finish(&self, output: &mut Self::Output) {
        self.observer.finish(output);
    }

    fn wanted(&self, area: &Area) -> Range<usize> {
        match self.cancel.load(Ordering::Relaxed) {
            true => area.none(),
            false => self.observer.wanted(area),
        }
    }

    fn wants_row_statistics(&self) -> bool {
        self.observer.wants_row_statistics()
    }
}
