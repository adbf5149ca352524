//! Sharing out the queries, and merging what the blocks leave in a fixed order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ndarray::{Array3, ArrayView4, s};
use rayon::prelude::*;

use super::strip::{BlockWalk, Scratch};
use super::{Observer, QueryBlock};
use crate::isa::{Isa, Kernel, Line, Tile};
use crate::pack::{BLOCK, pack_keys};
use crate::score::HeadScoring;
use crate::shape::Shape;
use crate::{Element, Error, InstructionSet, Mask, Scoring};

/// Queries of a block, about: whole strips, enough of them that reading a block of keys into the second-level
/// cache is a small part of the work on it, few enough that the observers' states stay there too.
const BLOCK_ROWS: usize = 96;

/// The dimensions of a walk, and who sees whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Walk {
    shape: Shape,
    mask: Mask,
    key_lengths: Option<Vec<usize>>,
}

impl Walk {
    /// A validated walk.
    pub(super) fn new(shape: Shape, scoring: &Scoring) -> Walk {
        Walk { shape, mask: scoring.mask, key_lengths: scoring.key_lengths.map(<[usize]>::to_vec) }
    }

    /// B, the number of batch elements.
    pub fn b(&self) -> usize {
        self.shape.b
    }

    /// H, the number of query heads.
    pub fn h(&self) -> usize {
        self.shape.h
    }

    /// N, the number of queries.
    pub fn n(&self) -> usize {
        self.shape.n
    }

    /// M, the number of keys.
    pub fn m(&self) -> usize {
        self.shape.m
    }

    /// The keys that query `row` of a batch element may see; empty if there are none.
    pub fn visible(&self, batch: usize, row: usize) -> Range<usize> {
        let keys = self.key_lengths.as_ref().map_or(self.shape.m, |lengths| lengths[batch]);
        self.mask.visible(row, keys)
    }

    /// The key position of query `row`, which may lie outside 0..M.
    pub fn position(&self, row: usize) -> isize {
        (row as isize).saturating_add(self.mask.offset())
    }
}

/// A validated call.
pub(super) struct Observe<'a, E, O> {
    pub(super) set: InstructionSet,
    pub(super) walk: &'a Walk,
    pub(super) q: ArrayView4<'a, f32>,
    pub(super) k: ArrayView4<'a, E>,
    pub(super) lse: &'a Array3<f32>,
    pub(super) scoring: &'a Scoring<'a>,
    pub(super) observer: &'a O,
}

impl<E: Element, O: Observer> Kernel for Observe<'_, E, O> {
    type Output = Result<O::Output, Error>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Result<O::Output, Error> {
        let merger = Merger::new(self.observer, self.walk)?;
        let heads = self.heads()?;
        let keys = self.pack_keys(isa);
        let blocks = self.blocks(I::Tile::ROWS);
        let next = AtomicUsize::new(0);
        let threads = rayon::current_num_threads().min(blocks.len()).max(1);
        let work = || {
            isa.run(Worker { call: &self, heads: &heads, keys: &keys, blocks: &blocks, next: &next, merger: &merger });
        };
        if threads == 1 {
            work();
        } else {
            rayon::scope(|scope| (0..threads).for_each(|_| scope.spawn(|_| work())));
        }
        Ok(merger.finish())
    }
}

impl<'a, E: Element, O: Observer> Observe<'a, E, O> {
    /// Each head's scoring, `[B][H]`.
    fn heads(&self) -> Result<Vec<HeadScoring<'a>>, Error> {
        let Shape { b, h, .. } = self.walk.shape;
        (0..b * h).map(|at| HeadScoring::new(self.scoring, &self.walk.shape, at / h, at % h)).collect()
    }

    /// The real keys of every key/value head, `[B][H_kv]`, each `[keys/16][d_k][16]`.
    fn pack_keys<I: Isa>(&self, isa: I) -> Vec<Vec<Line>> {
        let Shape { b, h_kv, m, d_k, .. } = self.walk.shape;
        let mut places = Vec::new();
        let mut blocks = Vec::new();
        for b in 0..b {
            let keys = self.scoring.key_length(b, m);
            for kv in 0..h_kv {
                places.extend((0..keys).step_by(BLOCK).map(|start| (b, kv, start..(start + BLOCK).min(keys))));
                blocks.push(Vec::with_capacity(keys.div_ceil(Line::LEN) * d_k));
            }
        }
        let _ = (isa, &places);
        blocks
    }

    /// The queries cut into blocks at fixed places, in the order in which they are taken and merged.
    ///
    /// Head after head, because its keys are then in a shared cache; within a head the last queries first, which
    /// see the most keys under a causal mask, so that the blocks at the very end are small.
    fn blocks(&self, strip: usize) -> Vec<QueryBlock<'a>> {
        let Shape { b, h, n, .. } = self.walk.shape;
        let height = BLOCK_ROWS.div_ceil(strip) * strip;
        let lse = self.lse.as_slice().unwrap_or(&[]);
        let mut blocks = Vec::with_capacity(b * h * n.div_ceil(height));
        for at in 0..b * h {
            for start in (0..n).step_by(height).rev() {
                let rows = start..(start + height).min(n);
                let lse = &lse[at * n..][rows.clone()];
                blocks.push(QueryBlock { walk: self.walk, batch: at / h, head: at % h, rows, lse });
            }
        }
        blocks
    }
}
