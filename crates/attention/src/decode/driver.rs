//! The whole call: pack the queries, share out the chunks, put them together.

use lookback_simd::pack::pack_strip;
use lookback_simd::{Isa, Kernel, Line, Widen, lines_for};
use ndarray::{ArrayView4, ArrayViewMut3, ArrayViewMut4, Axis, s};

use super::cache::Cache;
use super::call::{CHUNK, Call};
use super::chunk::attend;
use super::merge::Merge;
use super::workspace::{ChunkSoftmax, Workspace};
use crate::score::HeadScoring;
use crate::shape::Shape;
use crate::{Error, Scoring};

/// A cache of fewer bytes is read before another thread has woken.
const ALONE: usize = 256 << 10;

/// A validated call.
pub(crate) struct Decode<'a, 'c, 's, 'w, E> {
    pub(super) shape: Shape,
    pub(super) q: ArrayView4<'a, f32>,
    pub(super) cache: Cache<'c, E>,
    pub(super) scoring: &'a Scoring<'s>,
    pub(super) workspace: &'w mut Workspace,
    pub(super) o: ArrayViewMut4<'a, f32>,
    pub(super) lse: ArrayViewMut3<'a, f32>,
}

impl<E: Widen> Kernel for Decode<'_, '_, '_, '_, E> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Result<(), Error> {
        let Shape {
            b,
            h_kv,
            m,
            d_k,
            d_v,
            ..
        } = self.shape;
        let Workspace { q, states, o } = self.workspace;
        let (q_lines, o_lines) = (lines_for(d_k), lines_for(d_v));
        let rows = self.shape.group() * self.shape.n;
        let chunks = m.div_ceil(CHUNK);
        grow(q, &[b, h_kv, rows, q_lines], Line::ZERO)?;
        grow(states, &[b, h_kv, chunks, rows], ChunkSoftmax::EMPTY)?;
        grow(o, &[b, h_kv, chunks, rows, o_lines], Line::ZERO)?;
        pack_all(self.q, &self.shape, self.scoring, q)?;
        let call = Call {
            shape: self.shape,
            cache: self.cache,
            scoring: self.scoring,
            q,
        };
        let bytes = [b, h_kv, m, d_k + d_v, size_of::<E>()]
            .into_iter()
            .fold(1, usize::saturating_mul);
        let team = Team {
            isa,
            call: &call,
            alone: rayon::current_num_threads() == 1 || bytes < ALONE,
        };
        let parts = Parts {
            first: 0,
            states,
            o,
        };
        team.attend(parts)?;
        let parts = Parts {
            first: 0,
            states,
            o,
        };
        team.merge(parts, self.o, self.lse);
        Ok(())
    }
}

/// Makes `values` as long as the product of these dimensions, if there is memory for it.
fn grow<T: Copy>(values: &mut Vec<T>, dims: &[usize], empty: T) -> Result<(), Error> {
    let len = dims.iter().try_fold(1usize, |len, &d| len.checked_mul(d));
    len.filter(|&len| {
        let more = len.saturating_sub(values.len());
        values.try_reserve_exact(more).is_ok()
    })
    .map(|len| values.resize(len, empty))
    .ok_or(Error::TooLarge {
        operand: "the workspace",
    })
}

/// Packs every query, times its factor: `[B][H_kv][group][N][d_k/16]`.
fn pack_all(
    all: ArrayView4<f32>,
    shape: &Shape,
    scoring: &Scoring,
    lines: &mut [Line],
) -> Result<(), Error> {
    let width = lines_for(shape.d_k);
    let mut rows = lines.chunks_exact_mut(width);
    for b in 0..shape.b {
        for h in 0..shape.h {
            let head = HeadScoring::new(scoring, shape, b, h)?;
            let q = all.slice(s![b, h, .., ..]);
            for (i, row) in (0..shape.n).zip(&mut rows) {
                pack_strip(row, q, i..i + 1, 1, head.factor);
            }
        }
    }
    Ok(())
}

/// The partial results of consecutive tasks.
struct Parts<'w> {
    /// The first task.
    first: usize,
    /// `[tasks][rows]`
    states: &'w mut [ChunkSoftmax],
    /// `[tasks][rows][d_v/16]`
    o: &'w mut [Line],
}

impl<'w> Parts<'w> {
    /// The first `tasks` tasks, and the others.
    fn split(self, tasks: usize, rows: usize) -> (Parts<'w>, Parts<'w>) {
        let lines = self.o.len() / self.states.len();
        let (states, later_states) = self.states.split_at_mut(tasks * rows);
        let (o, later_o) = self.o.split_at_mut(tasks * rows * lines);
        let later = Parts {
            first: self.first + tasks,
            states: later_states,
            o: later_o,
        };
        let now = Parts {
            first: self.first,
            states,
            o,
        };
        (now, later)
    }
}

/// How the work is shared out: by halves, which `rayon::join` hands over without allocating.
struct Team<'t, 'a, 'c, 's, I, E> {
    isa: I,
    call: &'t Call<'a, 'c, 's, E>,
    /// Whether one thread does everything.
    alone: bool,
}

impl<I: Isa, E: Widen> Team<'_, '_, '_, '_, I, E> {
    /// Both, on two threads where there is more than one.
    fn both<A: Send, B: Send>(
        &self,
        a: impl FnOnce() -> A + Send,
        b: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        if self.alone {
            (a(), b())
        } else {
            rayon::join(a, b)
        }
    }

    /// Attends to every chunk.
    fn attend(&self, parts: Parts) -> Result<(), Error> {
        let rows = self.call.rows();
        let tasks = parts.states.len() / rows;
        if self.alone || tasks <= 1 {
            return self.isa.run(Attend {
                call: self.call,
                parts,
            });
        }
        let (now, later) = parts.split(tasks / 2, rows);
        let (now, later) = self.both(|| self.attend(now), || self.attend(later));
        now.and(later)
    }

    /// Puts the chunks of every head together: the batch is halved, then the heads.
    fn merge(&self, parts: Parts, mut o: ArrayViewMut4<f32>, mut lse: ArrayViewMut3<f32>) {
        let (b, h, ..) = o.dim();
        let group = self.call.shape.group();
        let heads = h / group;
        let (axis, middle, tasks) = if b > 1 {
            (Axis(0), b / 2, b / 2 * heads)
        } else {
            (Axis(1), heads / 2 * group, heads / 2)
        };
        let rows = self.call.rows();
        if b > 1 || heads > 1 {
            let (parts, later) = parts.split(tasks * self.call.chunks(), rows);
            let (o, later_o) = o.split_at(axis, middle);
            let (lse, later_lse) = lse.split_at(axis, middle);
            self.both(
                || self.merge(parts, o, lse),
                || self.merge(later, later_o, later_lse),
            );
            return;
        }
        let head = parts.first / self.call.chunks() % self.call.shape.h_kv;
        self.isa.run(Merge {
            rows,
            sinks: self
                .call
                .scoring
                .sinks
                .as_deref()
                .map(|sinks| &sinks[head * group..][..group]),
            states: parts.states,
            o: parts.o,
            out: o.index_axis_mut(Axis(0), 0),
            lse: lse.index_axis_mut(Axis(0), 0),
        });
    }
}

/// Consecutive tasks on one thread.
struct Attend<'t, 'a, 'c, 's, 'w, E> {
    call: &'t Call<'a, 'c, 's, E>,
    parts: Parts<'w>,
}

impl<E: Widen> Kernel for Attend<'_, '_, '_, '_, '_, E> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Result<(), Error> {
        let rows = self.call.rows();
        let width = rows * (self.parts.o.len() / self.parts.states.len());
        let states = self.parts.states.chunks_exact_mut(rows);
        let parts = states.zip(self.parts.o.chunks_exact_mut(width));
        for (at, (states, o)) in parts.enumerate() {
            attend(isa, self.call, self.parts.first + at, states, o)?;
        }
        Ok(())
    }
}
