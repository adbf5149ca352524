//! A block of queries against all its keys, from the scores to what the observers say.

use std::ops::Range;

use lookback_simd::{Line, lines_for};
use ndarray::{ArrayView2, ArrayViewMut2};

use super::attend::Attend;
use super::softmax::{RowSoftmax, Sum};
use crate::InstructionSet;
use crate::forward::write;
use crate::observe::area::{Area, QueryBlock};
use crate::observe::exp_weights::{TileSpace, limit_to_1};
use crate::observe::layout::MAX_ROWS;
use crate::observe::observer::Observer;
use crate::observe::ranges::intersect;
use crate::observe::scores::{Queries, Scores, Strip, seen};
use crate::observe::tile::Tile;
use crate::pack::{BLOCK, KvBlock};
use crate::score::{HeadScoring, normaliser};

/// A worker's memory, reused from block to block.
pub(super) struct Workspace {
    q: Queries,
    /// A row's scores for all keys that the block sees, the next row's [`stride`](Self::stride) lines further on.
    scores: Vec<Line>,
    stride: usize,
    /// \[rows\]
    rows: Vec<RowSoftmax>,
    /// `[strips][d_v/16][ROWS][16]`
    o: Vec<Line>,
    tile: TileSpace,
}

impl Workspace {
    pub(super) fn new(set: InstructionSet, d_k: usize, statistics: bool) -> Workspace {
        Workspace {
            q: Queries::new(set, d_k),
            scores: Vec::new(),
            stride: 0,
            rows: Vec::new(),
            o: Vec::new(),
            tile: TileSpace::new(statistics),
        }
    }

    /// Makes room for so many rows, lines of scores a row, and lines of sums.
    fn reset(&mut self, rows: usize, stride: usize, sums: usize) {
        self.stride = stride;
        self.scores.resize(rows * stride, Line::ZERO);
        self.rows.clear();
        self.rows.resize(rows, RowSoftmax::NONE);
        self.o.clear();
        self.o.resize(sums, Line::ZERO);
    }
}

/// A block of queries, and all that it is answered with.
pub(super) struct Job<'w, 'a, 's, O> {
    pub(super) set: InstructionSet,
    /// Its LSE is not known yet.
    pub(super) block: &'w QueryBlock<'a>,
    /// \[N, d_k\]: all queries of the head.
    pub(super) q: ArrayView2<'w, f32>,
    /// The blocks of all real keys of the head.
    pub(super) kv: &'w [KvBlock],
    pub(super) d_v: usize,
    pub(super) scoring: &'w HeadScoring<'s>,
    pub(super) observer: &'w O,
}

/// What is found of a block.
pub(super) struct Found<B> {
    /// `[rows][d_v]`
    pub(super) o: Vec<f32>,
    /// \[rows\], in natural units.
    pub(super) lse: Vec<f32>,
    pub(super) state: B,
}

/// What the weighted sum of row `r` is to be multiplied by: `factor` where weights are taken against `reference`, but they are
/// taken against the LSE. From 2³¹ on, two roundings of an LSE may be 256 apart, where weights vanish or overflow: then another
/// number, which is as near as f32 can tell, takes its place.
fn against_lse(strip: &mut Strip, r: usize, (reference, factor): (f64, f64)) -> f32 {
    let exact = reference - factor.log2();
    if (f64::from(strip.lse(r)) - exact).abs() > 1.0 {
        strip.take_against(r, exact as f32);
    }
    (factor * (f64::from(strip.lse(r)) - reference).exp2()) as f32
}

/// Some strips of a block, as many as fit a tile, and some keys that they see.
struct Band<'w> {
    strips: &'w [Strip],
    /// The first of them, within the block.
    at: usize,
    /// The block of keys.
    index: usize,
    /// From a multiple of 16 on.
    keys: Range<usize>,
}

impl<O: Observer> Job<'_, '_, '_, O> {
    /// Block after block of keys, and for each block band after band, so that the block is read from the nearest cache that holds
    /// it: first for the scores, then for the weights.
    pub(super) fn run(&self, workspace: &mut Workspace) -> Found<O::Block> {
        let rows = self.block.rows();
        let mut strips = workspace.q.pack(self.set, self.q, &rows, self.scoring);
        let height = workspace.q.height;
        // An odd number of lines a row: at a power of two, all rows would share a few places of a cache.
        let stride = lines_for(self.block.visible().end - self.origin()) | 1;
        let sums = lines_for(self.d_v) * height * strips.len();
        workspace.reset(strips.len() * height, stride, sums);
        self.for_each_band(&strips, height, |band| self.sum(&band, workspace));
        let (factors, lse) = self.normalise(&mut strips, &workspace.rows);
        let block = self.block.with_lse(&lse);
        let mut state = self.observer.block(&block);
        self.for_each_band(&strips, height, |band| {
            self.show(&band, &block, workspace, &mut state);
        });
        self.observer.end(&block, &mut state);
        let mut o = vec![0.0; rows.len() * self.d_v];
        self.write(&factors, workspace, &mut o);
        Found { o, lse, state }
    }

    /// The key that the first line of a row of scores begins with.
    fn origin(&self) -> usize {
        self.block.visible().start / BLOCK * BLOCK
    }

    fn for_each_band(&self, strips: &[Strip], height: usize, mut visit: impl FnMut(Band)) {
        let (visible, in_band) = (self.block.visible(), MAX_ROWS / height);
        if visible.is_empty() {
            return;
        }
        for index in visible.start / BLOCK..visible.end.div_ceil(BLOCK) {
            for (at, strips) in strips.chunks(in_band).enumerate() {
                let seen = seen(strips, &(index * BLOCK..(index + 1) * BLOCK));
                if !seen.is_empty() {
                    visit(Band {
                        strips,
                        at: at * in_band,
                        index,
                        keys: seen.start / Line::LEN * Line::LEN..seen.end,
                    });
                }
            }
        }
    }

    /// The scores of a band, and what they add to its rows' sums.
    fn sum(&self, band: &Band, workspace: &mut Workspace) {
        let (row, stride) = (band.at * workspace.q.height, workspace.stride);
        let sum = Sum {
            scores: Scores {
                strips: band.strips,
                q: workspace.q.strips(band.at, band.strips.len()),
                keys: self.kv[band.index].key_panels(),
                origin: band.index * BLOCK,
                d_k: self.q.ncols(),
                scoring: self.scoring,
                first: band.keys.start,
                panels: lines_for(band.keys.len()),
                to: &mut workspace.scores[row * stride + self.line(band)..],
                stride,
            },
            rows: &mut workspace.rows[row..],
        };
        sum.run_on(self.set);
    }

    /// Where in a row the scores of a band's keys begin.
    fn line(&self, band: &Band) -> usize {
        (band.keys.start - self.origin()) / Line::LEN
    }

    /// What each row's weighted sum is to be multiplied by, since weights are taken against an LSE that is rounded; and the LSE.
    fn normalise(&self, strips: &mut [Strip], rows: &[RowSoftmax]) -> (Vec<f32>, Vec<f32>) {
        let height = rows.len() / strips.len();
        let (mut factors, mut all) = (Vec::new(), Vec::new());
        for (strip, rows) in strips.iter_mut().zip(rows.chunks(height)) {
            let rows = &rows[..strip.rows.len()];
            let (of_reference, lse): (Vec<_>, Vec<_>) = rows
                .iter()
                .map(|row| normaliser(row.reference.into(), row.sum(), self.scoring.sink))
                .unzip();
            strip.set_lse(&lse);
            for (r, (row, &factor)) in rows.iter().zip(&of_reference).enumerate() {
                factors.push(match factor == 0.0 {
                    true => 0.0,
                    false => against_lse(strip, r, (row.reference.into(), factor.into())),
                });
            }
            all.extend(lse);
        }
        (factors, all)
    }

    /// The weights of a band, added up with their values, and shown.
    fn show(
        &self,
        band: &Band,
        block: &QueryBlock,
        workspace: &mut Workspace,
        state: &mut O::Block,
    ) {
        let (row, stride) = (band.at * workspace.q.height, workspace.stride);
        let start = band.index * BLOCK;
        let of_strip = lines_for(self.d_v) * workspace.q.height;
        let TileSpace {
            weights,
            statistics,
            partial,
        } = &mut workspace.tile;
        let attend = Attend {
            strips: band.strips,
            scores: &workspace.scores[row * stride + self.line(band)..],
            stride,
            weights,
            statistics: *statistics,
            partial,
            block: (&self.kv[band.index], start),
            keys: band.keys.start - start..band.keys.end - start,
            o: &mut workspace.o[band.at * of_strip..][..band.strips.len() * of_strip],
        };
        let mut statistics = attend.run_on(self.set);
        let strips = (band.strips, workspace.q.height);
        let panels = lines_for(band.keys.len());
        if limit_to_1(strips, panels, weights, statistics.as_ref()) {
            statistics = None;
        }
        let rows = band.strips[0].rows.start..band.strips[band.strips.len() - 1].rows.end;
        let wanted = self.observer.wanted(&Area {
            batch: block.batch,
            head: block.head,
            rows: rows.clone(),
            keys: band.keys.clone(),
        });
        if !intersect(&band.keys, &wanted).is_empty() {
            let place = (rows, band.keys.clone());
            let tile = Tile::new(self.set, block, place, weights, statistics);
            self.observer.tile(state, &tile);
        }
    }

    /// The rows of O.
    fn write(&self, factors: &[f32], workspace: &Workspace, o: &mut [f32]) {
        let height = workspace.q.height;
        let of_strip = lines_for(self.d_v) * height;
        let dim = (factors.len(), self.d_v);
        let mut o = ArrayViewMut2::from_shape(dim, o).expect("as many as the rows hold");
        for (at, (row, &factor)) in o.rows_mut().into_iter().zip(factors).enumerate() {
            let strip = &workspace.o[at / height * of_strip..][..of_strip];
            write(row, strip.iter().skip(at % height).step_by(height), factor);
        }
    }
}
