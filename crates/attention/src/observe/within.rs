//! An observer of some queries alone.

use std::ops::Range;

use super::area::{Area, QueryBlock, Walk};
use super::observer::Observer;
use super::ranges::intersect;
use super::tile::Tile;
use crate::Error;
use crate::shape::validate_range;

/// What an observer finds when it sees some queries alone; the output has its full size, and all other queries are as
/// ones that see no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within<O> {
    /// The queries, within 0..N.
    pub rows: Range<usize>,
    /// Who observes them.
    pub observer: O,
}

impl<O: Observer> Observer for Within<O> {
    type Block = O::Block;
    type Output = O::Output;

    fn start(&self, walk: &Walk) -> Result<O::Output, Error> {
        validate_range("queries", &self.rows, walk.n())?;
        self.observer.start(walk)
    }

    fn block(&self, block: &QueryBlock) -> O::Block {
        self.observer.block(block)
    }

    fn tile(&self, state: &mut O::Block, tile: &Tile) {
        let rows = intersect(&tile.rows(), &self.rows);
        if rows == tile.rows() {
            self.observer.tile(state, tile);
        } else if !rows.is_empty() {
            self.observer.tile(state, &tile.part(rows));
        }
    }

    fn end(&self, block: &QueryBlock, state: &mut O::Block) {
        self.observer.end(block, state);
    }

    fn merge(&self, output: &mut O::Output, block: &QueryBlock, state: O::Block) {
        self.observer.merge(output, block, state);
    }

    fn finish(&self, output: &mut O::Output) {
        self.observer.finish(output);
    }

    fn wanted(&self, area: &Area) -> Range<usize> {
        let rows = intersect(&area.rows, &self.rows);
        match rows.is_empty() {
            true => area.none(),
            false => self.observer.wanted(&Area {
                rows,
                ..area.clone()
            }),
        }
    }

    fn wants_row_statistics(&self) -> bool {
        self.observer.wants_row_statistics()
    }
}
