//! A task: some keys of one head against all the queries that see them.

use std::sync::Mutex;

use ndarray::{ArrayViewMut2, s};

use super::columns::Columns;
use super::keys::{Keys, block_keys};
use super::partition::{Extent, Part};
use super::products::{KeySums, QuerySums};
use super::queries::{HeadInputs, Queries};
use super::tiles::{BLOCK_PANELS, Pair, Tiles};
use super::visible::{Sums, add_visible};
use super::write::{write_keys, write_queries};
use crate::isa::{Isa, Kernel, Line, Tile, lines_for};
use crate::score::HeadScoring;

/// One part of one head, with the gradients that it alone writes.
pub(super) struct Task<'h, 'a> {
    pub(super) inputs: HeadInputs<'a>,
    pub(super) scoring: &'h HeadScoring<'a>,
    pub(super) part: Part,
    /// The derivative of the scores with respect to q·k, before a soft cap.
    pub(super) scale: f32,
    /// \[the part's queries, d_k\]
    pub(super) dq: ArrayViewMut2<'h, f32>,
    /// \[the part's keys, d_k\]
    pub(super) dk: ArrayViewMut2<'h, f32>,
    /// \[the part's keys, d_v\]
    pub(super) dv: ArrayViewMut2<'h, f32>,
}

/// Takes tasks until there are none.
pub(super) struct Worker<'w, 'h, 'a> {
    pub(super) queue: &'w Mutex<std::vec::IntoIter<Task<'h, 'a>>>,
}

impl Kernel for Worker<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let mut workspace = None;
        loop {
            // A panic elsewhere leaves the queue as good as it was.
            let task = self
                .queue
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
                .next();
            let Some(task) = task else { break };
            let room = || Workspace::new::<I>(task.dk.ncols(), task.dv.ncols());
            derive(isa, workspace.get_or_insert_with(room), task);
        }
    }
}

/// A worker's memory, reused from task to task.
struct Workspace {
    queries: Queries,
    keys: Keys,
    columns: Columns,
    tiles: Tiles,
    dq: QuerySums,
    dk: KeySums,
    dv: KeySums,
}

impl Workspace {
    fn new<I: Isa>(d_k: usize, d_v: usize) -> Workspace {
        let height = block_keys(I::Tile::ROWS);
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
            dk: sums(d_k),
            dv: sums(d_v),
        }
    }
}

/// Runs one task: block after block of keys, whose sums stay in the nearest cache, and for each all queries that see any of it.
#[inline(always)]
fn derive<I: Isa>(isa: I, space: &mut Workspace, task: Task) {
    let Task {
        ref inputs,
        scoring,
        part,
        scale,
        dq,
        mut dk,
        mut dv,
    } = task;
    space
        .queries
        .load(isa, inputs, part.queries.clone(), scoring);
    space
        .dq
        .reset::<I>(space.queries.bounds.len(), inputs.q.ncols());
    let block = block_keys(I::Tile::ROWS);
    let extent = Extent {
        mask: &scoring.mask,
        queries: inputs.q.nrows(),
        keys: scoring.keys,
        block,
    };
    for first in part.keys.clone().step_by(block) {
        let keys = first..(first + block).min(part.keys.end);
        space.keys.load(isa, inputs, keys.clone());
        space.dk.lines.fill(Line::ZERO);
        space.dv.lines.fill(Line::ZERO);
        let queries = extent.queries_of(keys.clone());
        let start = queries.start.saturating_sub(part.queries.start) / Line::LEN;
        let end = queries
            .end
            .saturating_sub(part.queries.start)
            .div_ceil(Line::LEN);
        for panel in (start..end).step_by(BLOCK_PANELS) {
            pair(isa, space, scoring, panel..(panel + BLOCK_PANELS).min(end));
        }
        let rows = s![keys.start - part.keys.start..keys.end - part.keys.start, ..];
        write_keys(isa, &space.dk, scale, dk.slice_mut(rows));
        write_keys(isa, &space.dv, 1.0, dv.slice_mut(rows));
    }
    write_queries(isa, &space.dq, scale, dq);
}

/// One block of keys and some panels of queries: five products.
#[inline(always)]
fn pair<I: Isa>(
    isa: I,
    space: &mut Workspace,
    scoring: &HeadScoring,
    panels: std::ops::Range<usize>,
) {
    let Workspace {
        queries,
        keys,
        columns,
        tiles,
        dq,
        dk,
        dv,
    } = space;
    columns.list::<I>(queries, keys, panels);
    let pair = Pair {
        queries,
        keys,
        scoring,
    };
    tiles.fill(isa, pair, columns);
    if pair.finite() {
        dv.add(isa, &tiles.p, columns, &queries.d_o);
        dk.add(isa, &tiles.d_t, columns, &queries.q);
        dq.add(isa, tiles, columns, keys);
    } else {
        add_visible(&mut Sums { dq, dk, dv }, tiles, columns, pair);
    }
}
