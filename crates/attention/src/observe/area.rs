//! What a walk covers, and the parts that it is done in.

use std::ops::Range;

use crate::shape::{Shape, room};
use crate::{Error, InstructionSet, Mask, Scoring};

/// The dimensions of a walk, and which keys each query sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Walk {
    pub(super) shape: Shape,
    mask: Mask,
    key_lengths: Option<Vec<usize>>,
}

impl Walk {
    /// A validated walk.
    pub(super) fn new(shape: Shape, scoring: &Scoring) -> Walk {
        Walk {
            shape,
            mask: scoring.mask.clone(),
            key_lengths: scoring.key_lengths.map(<[usize]>::to_vec),
        }
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
        let lengths = self.key_lengths.as_ref();
        let keys = lengths.map_or(self.shape.m, |lengths| lengths[batch]);
        self.mask.visible(row, keys)
    }

    /// Rejects an output of so many f32 a batch element and head that there is no memory for.
    pub(super) fn room(&self, output: &'static str, dims: &[usize]) -> Result<(), Error> {
        let dims = [&[self.b(), self.h()], dims].concat();
        room(output, &dims)
    }

    /// The key position at which query `row` stands: row + offset, which may lie outside 0..M.
    pub fn position(&self, row: usize) -> isize {
        (row as isize).saturating_add(self.mask.offset())
    }
}

/// Some queries and keys of one head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// Which batch element.
    pub batch: usize,
    /// Which query head.
    pub head: usize,
    /// Which queries, within 0..N.
    pub rows: Range<usize>,
    /// Which keys, within 0..M.
    pub keys: Range<usize>,
}

impl Area {
    /// None of the area's keys.
    pub fn none(&self) -> Range<usize> {
        self.keys.start..self.keys.start
    }
}

/// The edge from one query to one key of one head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// Which batch element.
    pub batch: usize,
    /// Which query head.
    pub head: usize,
    /// Which query.
    pub query: usize,
    /// Which key.
    pub key: usize,
}

/// Some consecutive queries of one head: what one thread observes from the first key to the last.
#[derive(Debug, Clone)]
pub struct QueryBlock<'a> {
    /// The instruction set that the walk runs on.
    pub(super) set: InstructionSet,
    pub(super) walk: &'a Walk,
    pub(super) batch: usize,
    pub(super) head: usize,
    pub(super) rows: Range<usize>,
    pub(super) lse: &'a [f32],
}

impl<'a> QueryBlock<'a> {
    /// The block with the LSE of its queries.
    pub(super) fn with_lse<'b>(&self, lse: &'b [f32]) -> QueryBlock<'b>
    where
        'a: 'b,
    {
        QueryBlock {
            lse,
            ..self.clone()
        }
    }

    /// The whole walk's dimensions and mask.
    pub fn walk(&self) -> &'a Walk {
        self.walk
    }

    /// Which batch element.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Which query head.
    pub fn head(&self) -> usize {
        self.head
    }

    /// Which queries, within 0..N.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The queries' log-sum-exp, one for each row.
    pub fn lse(&self) -> &'a [f32] {
        self.lse
    }

    /// The keys that some query of the block sees.
    pub fn visible(&self) -> Range<usize> {
        let first = self.walk.visible(self.batch, self.rows.start);
        let last = self.walk.visible(self.batch, self.rows.end - 1);
        first.start..last.end.max(first.start)
    }
}
