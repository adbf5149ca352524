//! What a worker does: task after task, each some queries of one head against all the keys that they see.

use std::sync::atomic::{AtomicUsize, Ordering};

use lookback_simd::pack::pack_strip;
use lookback_simd::{Isa, Kernel, Line, RegisterTile, lines_for};

use super::finish::finish;
use super::heads::{KvHead, PackedHead, Packer};
use super::strip::{Strip, StripSoftmax, Weights};
use super::task::Task;
use crate::pack::BLOCK;
use crate::score::Bounds;

/// Takes heads for itself until there are none, then the tasks that others have left.
pub(super) struct Worker<'a, 'p> {
    pub(super) heads: &'p [KvHead<'a, 'p>],
    /// The first head that nobody has taken.
    pub(super) next: &'p AtomicUsize,
    pub(super) packer: &'p Packer<'p>,
    pub(super) d_k: usize,
    pub(super) d_v: usize,
}

impl Kernel for Worker<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let heads = self.heads;
        let mut workspace = Workspace::new::<I>(self.d_k, self.d_v);
        // Others are joined from the last head on, which was begun last.
        let mut others = heads.iter().rev();
        let own = || heads.get(self.next.fetch_add(1, Ordering::Relaxed));
        while let Some(head) = own().or_else(|| others.next()) {
            let mut packed = None;
            while let Some(task) = head.take(self.packer, &mut packed) {
                if let Some(packed) = &packed {
                    attend(isa, task, packed, &mut workspace);
                }
            }
        }
    }
}

/// A worker's memory, reused from task to task.
struct Workspace {
    /// `[strips][d_k/16][ROWS]`: packed queries.
    q: Vec<Line>,
    /// `[strips][d_v/16][ROWS]`: sums of weight times value.
    o: Vec<Line>,
    /// `[strips]`
    states: Vec<StripSoftmax>,
    /// `[BLOCK/16][ROWS]`: a strip's weights for the keys of one block.
    weights: Weights,
    q_lines: usize,
    o_lines: usize,
}

impl Workspace {
    fn new<I: Isa>(d_k: usize, d_v: usize) -> Workspace {
        Workspace {
            q: Vec::new(),
            o: Vec::new(),
            states: Vec::new(),
            weights: Weights::new(BLOCK / Line::LEN * I::WideTile::ROWS),
            q_lines: lines_for(d_k) * I::WideTile::ROWS,
            o_lines: lines_for(d_v) * I::WideTile::ROWS,
        }
    }

    /// Makes room for `strips` strips and clears their sums.
    fn reset(&mut self, strips: usize) {
        self.q.resize(strips * self.q_lines, Line::ZERO);
        self.o.clear();
        self.o.resize(strips * self.o_lines, Line::ZERO);
        self.states.clear();
    }
}

/// Runs one task: block after block of keys, and for each block strip after strip, so that the block is read from
/// the nearest cache that holds it.
#[inline(always)]
fn attend<I: Isa>(isa: I, task: Task, packed: &PackedHead, workspace: &mut Workspace) {
    let height = I::WideTile::ROWS;
    let rows = task.o.nrows();
    let strips = rows.div_ceil(height);
    let (queries, head) = (task.q.nrows(), task.scoring);
    workspace.reset(strips);
    for (strip, q) in workspace
        .q
        .chunks_exact_mut(workspace.q_lines)
        .take(strips)
        .enumerate()
    {
        let first = strip * height;
        let end = (first + height).min(rows);
        for row in task.first + end..(task.first + end + height).min(task.first + rows) {
            isa.prefetch(task.q.row(row).to_slice().unwrap_or(&[]));
        }
        pack_strip(
            q,
            task.q,
            task.first + first..task.first + end,
            height,
            head.factor,
        );
        let bounds = Bounds::new(&head.mask, task.first + first, height, queries, head.keys);
        workspace.states.push(StripSoftmax::new(bounds));
    }
    let bounds = [0, strips - 1].map(|at| workspace.states[at].bounds.seen());
    for index in bounds[0].start / BLOCK..bounds[1].end.div_ceil(BLOCK) {
        let block = packed.block(index);
        let parts = workspace
            .q
            .chunks_exact(workspace.q_lines)
            .zip(workspace.o.chunks_exact_mut(workspace.o_lines));
        for (at, ((q, o), state)) in parts.zip(&mut workspace.states).enumerate() {
            let mut strip = Strip {
                first: task.first + at * height,
                q,
                o,
                state,
                weights: &mut workspace.weights,
            };
            strip.attend(isa, block, index * BLOCK, head);
        }
    }
    let strips = workspace.o.chunks_exact(workspace.o_lines);
    finish(
        isa,
        strips.zip(&workspace.states),
        head.sink,
        (task.o, task.lse),
    );
}
