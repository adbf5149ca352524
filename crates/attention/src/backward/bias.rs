//! The bias's gradient: a pass of its own over the scores' gradients.
//!
//! It repeats two of the five products, and in return never holds more than the gradient itself: where a bias is shared by
//! several heads or batch elements, one task adds up their gradients for its queries, one head after another.

use std::ops::Range;
use std::sync::Mutex;

use lookback_simd::{Isa, Kernel, Line, RegisterTile};
use ndarray::{Array4, ArrayViewMut2, ArrayViewMut4, Axis, s};

use super::columns::Columns;
use super::head::{Head, heads_of};
use super::keys::{Keys, block_keys};
use super::partition::Extent;
use super::queries::Queries;
use super::tiles::{BLOCK_PANELS, Pair, Tiles};
use crate::shape::Shape;
use crate::threads::{lock, on_every_thread};

/// The gradient for some queries of the heads that share it.
struct Task<'h, 'a> {
    heads: Vec<&'h Head<'a>>,
    queries: Range<usize>,
    /// \[these queries or 1, M or 1\]
    out: ArrayViewMut2<'h, f32>,
}

/// Writes the gradient of a bias of `d_bias`'s shape, each dimension the full one or 1.
pub(super) struct Derive<'h, 'a, 'g> {
    pub(super) shape: Shape,
    /// Batch element after batch element.
    pub(super) heads: &'h [Head<'a>],
    pub(super) d_bias: ArrayViewMut4<'g, f32>,
}

impl Kernel for Derive<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Derive {
            shape,
            heads,
            mut d_bias,
        } = self;
        let (of_b, of_h, of_n, of_m) = d_bias.dim();
        d_bias.fill(0.0);
        if of_n == shape.n && of_m == shape.m {
            let mut tasks = Vec::new();
            for (at, out) in heads_of(d_bias).into_iter().enumerate() {
                let shares = |head: &usize| {
                    (of_b == 1 || head / shape.h == at / of_h)
                        && (of_h == 1 || head % shape.h == at % of_h)
                };
                let sharing: Vec<&Head> = (0..heads.len())
                    .filter(shares)
                    .map(|head| &heads[head])
                    .collect();
                cut(&sharing, out, &mut tasks);
            }
            run(isa, tasks);
        } else {
            // Of a head, this is one row, one column or one number: each head has its own, and they are added up then.
            let mut shares = Array4::zeros((shape.b, shape.h, of_n, of_m));
            let all = heads.iter().zip(heads_of(shares.view_mut()));
            let whole = |(head, out)| Task {
                heads: vec![head],
                queries: 0..shape.n,
                out,
            };
            run(isa, all.map(whole).collect());
            for ((b, h, i, j), &share) in shares.indexed_iter() {
                d_bias[[b.min(of_b - 1), h.min(of_h - 1), i, j]] += share;
            }
        }
    }
}

/// Cuts the gradient \[N, M\] that `heads` share into blocks of queries.
fn cut<'h, 'a>(heads: &[&'h Head<'a>], out: ArrayViewMut2<'h, f32>, tasks: &mut Vec<Task<'h, 'a>>) {
    let (mut rest, mut first) = (out, 0);
    while rest.nrows() > 0 {
        let count = rest.nrows().min(BLOCK_PANELS * Line::LEN);
        let (out, after) = rest.split_at(Axis(0), count);
        tasks.push(Task {
            heads: heads.to_vec(),
            queries: first..first + count,
            out,
        });
        (rest, first) = (after, first + count);
    }
}

/// Runs all tasks on all threads.
#[inline(always)]
fn run<I: Isa>(isa: I, tasks: Vec<Task>) {
    let queue = Mutex::new(tasks.into_iter());
    on_every_thread(usize::MAX, || isa.run(Worker { queue: &queue }));
}

/// Takes tasks until there are none.
struct Worker<'w, 'h, 'a> {
    queue: &'w Mutex<std::vec::IntoIter<Task<'h, 'a>>>,
}

impl Kernel for Worker<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let (mut queries, mut keys) = (Queries::default(), Keys::default());
        let (mut columns, mut tiles) = (Columns::default(), Tiles::for_scores::<I>());
        let block = block_keys(I::WideTile::ROWS);
        loop {
            let task = lock(self.queue).next();
            let Some(mut task) = task else { break };
            for Head { inputs, scoring } in task.heads {
                queries.load(isa, inputs, task.queries.clone(), scoring);
                let extent = Extent {
                    mask: &scoring.mask,
                    queries: inputs.q.nrows(),
                    keys: scoring.keys,
                    block,
                };
                for first in (0..scoring.keys).step_by(block) {
                    let range = first..(first + block).min(scoring.keys);
                    let panels = queries.panels_of(&extent.queries_of(range.clone()));
                    if panels.is_empty() {
                        continue;
                    }
                    keys.load(isa, inputs, range);
                    for panel in panels.clone().step_by(BLOCK_PANELS) {
                        let panels = panel..(panel + BLOCK_PANELS).min(panels.end);
                        let finite = queries.finite(panels.clone()) && keys.finite();
                        columns.list::<I>(&queries, &keys, panels);
                        let pair = Pair {
                            queries: &queries,
                            keys: &keys,
                            scoring,
                            finite,
                        };
                        tiles.fill(isa, pair, &columns);
                        add(&mut task.out, &tiles, &columns, pair);
                    }
                }
            }
        }
    }
}

/// Adds the visible pairs' gradients to the gradient of the bias.
fn add(
    out: &mut ArrayViewMut2<f32>,
    tiles: &Tiles,
    columns: &Columns,
    Pair { queries, keys, .. }: Pair,
) {
    let (rows, cols) = out.dim();
    for column in &columns.columns {
        let end = ((column.last() + 1) * Line::LEN).min(queries.count);
        for i in column.panel * Line::LEN..end {
            let visible = queries.bounds[i / Line::LEN].row(i % Line::LEN);
            let mut row = out.slice_mut(s![i.min(rows - 1), ..]);
            for j in visible.start.max(keys.first)..visible.end.min(keys.first + keys.count) {
                let at = (i / Line::LEN - columns.panel) * tiles.height + j - keys.first;
                row[j.min(cols - 1)] += tiles.d_t[at].0[i % Line::LEN];
            }
        }
    }
}
