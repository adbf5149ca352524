//! What a worker does: some keys of one head against all the queries that see them, task after task.

use std::ops::Range;

use lookback_simd::{Isa, Kernel, Line, RegisterTile, lines_for};
use ndarray::{ArrayViewMut2, s};

use super::columns::Columns;
use super::head::Head;
use super::keys::{Keys, block_keys};
use super::ordered::Outs;
use super::partition::{Extent, Part};
use super::products::{KeySums, QuerySums};
use super::queries::Queries;
use super::queue::Queue;
use super::tiles::{BLOCK_PANELS, Pair, Tiles};
use super::visible::{Sums, add_visible};
use super::write::{write_keys, write_queries};
use crate::score::HeadScoring;
use crate::threads::lock;

/// Takes tasks until there are none.
pub(super) struct Worker<'w, 'a, 'g> {
    /// Query heads that share a key/value head.
    pub(super) group: usize,
    /// The derivative of the scores with respect to q·k, before a soft cap.
    pub(super) scale: f32,
    pub(super) heads: &'w [Head<'a>],
    /// The parts of each head.
    pub(super) parts: &'w [Vec<Part>],
    pub(super) queue: &'w Queue,
    pub(super) outs: &'w Outs<'g>,
}

impl Kernel for Worker<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Worker {
            group,
            scale,
            heads,
            parts,
            queue,
            outs,
        } = self;
        let Some(Head { inputs, .. }) = heads.first() else {
            return;
        };
        let widths = (inputs.k.ncols(), inputs.v.ncols());
        let mut space = Workspace::new::<I>(widths);
        let mut loaded = None;
        while let Some((at, index)) = queue.take(loaded) {
            let (head, part) = (&heads[at], &parts[at][index]);
            if loaded != Some(at) {
                // Those that this part and all after it need.
                let end = parts[at][index..].iter().map(|part| part.queries.end).max();
                let range = part.queries.start..end.unwrap_or(part.queries.end);
                space.queries.load(isa, &head.inputs, range, &head.scoring);
                loaded = Some(at);
            }
            space.derive(isa, head, part, scale);

            let (kv_head, member) = (at / group, at % group);
            let keys = 0..part.keys.len();
            let [dq, dk, dv] = space.gradients.views(part, widths);
            lock(&outs.dk[kv_head][index]).add(member, keys.clone(), dk.view());
            lock(&outs.dv[kv_head][index]).add(member, keys, dv.view());
            lock(&outs.dq[at]).add(index, part.queries.clone(), dq.view());
        }
    }
}

/// A worker's memory, reused from task to task.
struct Workspace {
    /// The queries of one head.
    queries: Queries,
    keys: Keys,
    columns: Columns,
    tiles: Tiles,
    dq: QuerySums,
    dk: KeySums,
    dv: KeySums,
    gradients: PartGradients,
    /// d_k and d_v.
    widths: (usize, usize),
}

/// The gradients of one part, row by row.
#[derive(Default)]
struct PartGradients {
    /// \[the part's queries, d_k\]
    dq: Vec<f32>,
    /// \[the part's keys, d_k\]
    dk: Vec<f32>,
    /// \[the part's keys, d_v\]
    dv: Vec<f32>,
}

impl PartGradients {
    /// dQ, dK and dV of `part`, whatever they hold.
    fn views(&mut self, part: &Part, (d_k, d_v): (usize, usize)) -> [ArrayViewMut2<'_, f32>; 3] {
        let (queries, keys) = (part.queries.len(), part.keys.len());
        [
            rows_of(&mut self.dq, queries, d_k),
            rows_of(&mut self.dk, keys, d_k),
            rows_of(&mut self.dv, keys, d_v),
        ]
    }
}

/// Room for a matrix \[rows, d\].
fn rows_of(values: &mut Vec<f32>, rows: usize, d: usize) -> ArrayViewMut2<'_, f32> {
    values.resize(rows * d, 0.0);
    ArrayViewMut2::from_shape((rows, d), values).expect("resized to fit")
}

impl Workspace {
    fn new<I: Isa>(widths: (usize, usize)) -> Workspace {
        let height = block_keys(I::WideTile::ROWS);
        let sums = |d| KeySums {
            lines: vec![Line::ZERO; lines_for(d) * height],
            height,
        };
        Workspace {
            queries: Queries::default(),
            keys: Keys::default(),
            columns: Columns::default(),
            tiles: Tiles::new::<I>(),
            dq: QuerySums::default(),
            dk: sums(widths.0),
            dv: sums(widths.1),
            gradients: PartGradients::default(),
            widths,
        }
    }

    /// Runs one task: block after block of keys, whose sums stay in the nearest cache, and for each all queries that see
    /// any of it.
    #[inline(always)]
    fn derive<I: Isa>(&mut self, isa: I, head: &Head, part: &Part, scale: f32) {
        let Head { inputs, scoring } = head;
        self.dq
            .clear::<I>(self.queries.panels_of(&part.queries), inputs.q.ncols());
        let block = block_keys(I::WideTile::ROWS);
        let extent = Extent {
            mask: &scoring.mask,
            queries: inputs.q.nrows(),
            keys: scoring.keys,
            block,
        };
        for first in part.keys.clone().step_by(block) {
            let keys = first..(first + block).min(part.keys.end);
            self.keys.load(isa, inputs, keys.clone());
            self.dk.lines.fill(Line::ZERO);
            self.dv.lines.fill(Line::ZERO);
            let panels = self.queries.panels_of(&extent.queries_of(keys.clone()));
            for panel in panels.clone().step_by(BLOCK_PANELS) {
                self.pair(isa, scoring, panel..(panel + BLOCK_PANELS).min(panels.end));
            }
            let rows = s![keys.start - part.keys.start..keys.end - part.keys.start, ..];
            let [_, mut dk, mut dv] = self.gradients.views(part, self.widths);
            write_keys(isa, &self.dk, scale, dk.slice_mut(rows));
            write_keys(isa, &self.dv, 1.0, dv.slice_mut(rows));
        }
        let [dq, ..] = self.gradients.views(part, self.widths);
        write_queries(
            isa,
            &self.dq,
            scale,
            (part.queries.start - self.queries.first, dq),
        );
    }

    /// One block of keys and some panels of queries: five products.
    #[inline(always)]
    fn pair<I: Isa>(&mut self, isa: I, scoring: &HeadScoring, panels: Range<usize>) {
        let Workspace {
            queries,
            keys,
            columns,
            tiles,
            dq,
            dk,
            dv,
            ..
        } = self;
        let finite = queries.finite(panels.clone()) && keys.finite();
        columns.list::<I>(queries, keys, panels);
        let pair = Pair {
            queries,
            keys,
            scoring,
            finite,
        };
        tiles.fill(isa, pair, columns);
        if finite {
            dv.add(isa, &tiles.p, columns, &queries.d_o);
            dk.add(isa, &tiles.d_t, columns, &queries.q);
            dq.add(isa, tiles, columns, keys);
        } else {
            add_visible(&mut Sums { dq, dk, dv }, tiles, columns, pair);
        }
    }
}
