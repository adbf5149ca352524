//! The whole pass: cut the heads into tasks, run them, add up what several of them computed.

use std::sync::Mutex;

use ndarray::{Array2, Array4, ArrayViewMut2, ArrayViewMut4, Axis, s};
use rayon::prelude::*;

use super::bias;
use super::call::{GradientsMut, Inputs, Options};
use super::keys::block_keys;
use super::partition::{Extent, Part};
use super::queries::HeadInputs;
use super::task::{Task, Worker};
use crate::isa::{Isa, Kernel, Tile};
use crate::score::HeadScoring;
use crate::shape::Shape;
use crate::{Error, Scoring};

/// Tasks to make at least, where the heads have the keys for it: enough to keep the threads of a large machine busy. The
/// number of threads has no part in it, so that the sums are the same whatever it is.
const TASKS: usize = 32;

/// Blocks of keys that a part has at least, so that packing the queries again stays a small part of its work.
const PART_BLOCKS: usize = 5;

/// A validated call.
pub(super) struct Backward<'h, 'a, 'g> {
    pub(super) shape: Shape,
    /// Batch element after batch element.
    pub(super) heads: &'h [Head<'a>],
    pub(super) scale: f32,
    pub(super) gradients: GradientsMut<'g>,
}

/// One head of a call.
pub(super) struct Head<'a> {
    pub(super) inputs: HeadInputs<'a>,
    pub(super) scoring: HeadScoring<'a>,
}

impl Kernel for Backward<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Backward {
            shape,
            heads,
            scale,
            mut gradients,
        } = self;
        let parts = parts_of(&shape, heads, block_keys(I::Tile::ROWS));
        let mut shared = Shared::new(&shape, &parts);
        {
            let GradientsMut { dq, dk, dv, .. } = &mut gradients;
            let out = (dq.view_mut(), dk.view_mut(), dv.view_mut());
            let queue = Mutex::new(tasks(heads, &parts, scale, out, &mut shared).into_iter());
            on_every_thread(|| isa.run(Worker { queue: &queue }));
        }
        shared.add_up(&parts, &mut gradients);
        if let Some(mut d_sinks) = gradients.d_sinks {
            d_sinks.fill(0.0);
            for (at, head) in heads.iter().enumerate() {
                d_sinks[at % shape.h] += gradient_of_sink(head);
            }
        }
        if let Some(d_bias) = gradients.d_bias {
            bias::derive(isa, &shape, heads, d_bias);
        }
    }
}

/// The heads of a validated call, batch element after batch element.
pub(super) fn heads<'h>(
    shape: &Shape,
    inputs: &'h Inputs,
    options: &'h Options,
    scoring: &'h Scoring,
) -> Result<Vec<Head<'h>>, Error> {
    let one = |at: usize| {
        let (b, h) = (at / shape.h, at % shape.h);
        let kv = h / shape.group();
        let d_lse = options.d_lse.as_ref();
        Ok(Head {
            inputs: HeadInputs {
                q: inputs.q.slice(s![b, h, .., ..]),
                k: inputs.k.slice(s![b, kv, .., ..]),
                v: inputs.v.slice(s![b, kv, .., ..]),
                o: inputs.o.slice(s![b, h, .., ..]),
                lse: inputs.lse.slice(s![b, h, ..]),
                d_o: inputs.d_o.slice(s![b, h, .., ..]),
                d_lse: d_lse.map(|d_lse| d_lse.slice(s![b, h, ..])),
            },
            scoring: HeadScoring::new(scoring, shape, b, h)?,
        })
    };
    (0..shape.b * shape.h).map(one).collect()
}

/// The parts of each head.
fn parts_of(shape: &Shape, heads: &[Head], block: usize) -> Vec<Vec<Part>> {
    let count = TASKS
        .div_ceil(heads.len())
        .min(shape.m.div_ceil(block * PART_BLOCKS));
    let parts = |Head { scoring, .. }: &Head| {
        Extent {
            mask: &scoring.mask,
            queries: shape.n,
            keys: scoring.keys,
            block,
        }
        .parts(count)
    };
    heads.iter().map(parts).collect()
}

/// −Σ_i exp(sink − LSE_i) D_i.
fn gradient_of_sink(head: &Head) -> f32 {
    let sink = head.scoring.sink * std::f64::consts::LN_2;
    let terms = head
        .inputs
        .lse
        .iter()
        .enumerate()
        .map(|(i, &lse)| match sink {
            f64::NEG_INFINITY => 0.0,
            _ => (sink - f64::from(lse)).exp() * f64::from(head.inputs.row_term(i)),
        });
    -terms.sum::<f64>() as f32
}

/// Runs `work` on each thread of rayon's current pool at once.
pub(super) fn on_every_thread(work: impl Fn() + Sync) {
    match rayon::current_num_threads() {
        1 => work(),
        threads => rayon::scope(|scope| (0..threads).for_each(|_| scope.spawn(|_| work()))),
    }
}

/// Gradients that several tasks have a share in, before they are added up.
struct Shared {
    /// For each head with several parts, one dQ \[the part's queries, d_k\] a part.
    dq: Vec<Vec<Array2<f32>>>,
    /// \[B, H, M, d_k\] and \[B, H, M, d_v\], if query heads share key heads.
    d_kv: Option<(Array4<f32>, Array4<f32>)>,
}

impl Shared {
    fn new(shape: &Shape, parts: &[Vec<Part>]) -> Shared {
        let Shape {
            b, h, m, d_k, d_v, ..
        } = *shape;
        let of_part = |part: &Part| Array2::zeros((part.queries.len(), d_k));
        let of_head = |parts: &Vec<Part>| match parts.len() {
            0 | 1 => Vec::new(),
            _ => parts.iter().map(of_part).collect(),
        };
        let d_kv = || (Array4::zeros((b, h, m, d_k)), Array4::zeros((b, h, m, d_v)));
        Shared {
            dq: parts.iter().map(of_head).collect(),
            d_kv: (shape.group() > 1).then(d_kv),
        }
    }

    /// Adds up, in the order of the parts and of the heads, whatever the order was in which they were computed.
    fn add_up(&self, parts: &[Vec<Part>], gradients: &mut GradientsMut) {
        let shares = self
            .dq
            .par_iter()
            .zip(parts.par_iter())
            .zip(heads_of(gradients.dq.view_mut()));
        shares
            .filter(|((shares, _), _)| !shares.is_empty())
            .for_each(|((shares, parts), mut dq)| {
                dq.fill(0.0);
                for (share, part) in shares.iter().zip(parts) {
                    let mut rows = dq.slice_mut(s![part.queries.clone(), ..]);
                    rows += share;
                }
            });
        if let Some((dk, dv)) = &self.d_kv {
            add_groups(dk, gradients.dk.view_mut());
            add_groups(dv, gradients.dv.view_mut());
        }
    }
}

/// Sums `shares` \[B, H, M, d\] over the heads of each group: `out` \[B, H_kv, M, d\].
fn add_groups(shares: &Array4<f32>, out: ArrayViewMut4<f32>) {
    let (heads, kv_heads) = (shares.dim().1, out.dim().1);
    let group = heads / kv_heads;
    heads_of(out)
        .into_par_iter()
        .enumerate()
        .for_each(|(at, mut out)| {
            let (b, kv) = (at / kv_heads, at % kv_heads);
            out.assign(&shares.slice(s![b, kv * group, .., ..]));
            for h in kv * group + 1..(kv + 1) * group {
                out += &shares.slice(s![b, h, .., ..]);
            }
        });
}

/// The views of all heads of \[B, H, rows, d\].
pub(super) fn heads_of(view: ArrayViewMut4<'_, f32>) -> Vec<ArrayViewMut2<'_, f32>> {
    let mut heads = Vec::with_capacity(view.dim().0 * view.dim().1);
    let mut batches = view;
    while batches.dim().0 > 0 {
        let (first, rest) = batches.split_at(Axis(0), 1);
        batches = rest;
        let mut of_batch = first.index_axis_move(Axis(0), 0);
        while of_batch.dim().0 > 0 {
            let (first, rest) = of_batch.split_at(Axis(0), 1);
            of_batch = rest;
            heads.push(first.index_axis_move(Axis(0), 0));
        }
    }
    heads
}

/// One task for each part of each head; what no task writes is set to 0.
fn tasks<'h, 'a>(
    heads: &'h [Head<'a>],
    parts: &[Vec<Part>],
    scale: f32,
    (dq, dk, dv): (
        ArrayViewMut4<'h, f32>,
        ArrayViewMut4<'h, f32>,
        ArrayViewMut4<'h, f32>,
    ),
    shared: &'h mut Shared,
) -> Vec<Task<'h, 'a>> {
    let (dk, dv) = match &mut shared.d_kv {
        Some((dk, dv)) => (dk.view_mut(), dv.view_mut()),
        None => (dk, dv),
    };
    let gradients = heads_of(dq).into_iter().zip(heads_of(dk)).zip(heads_of(dv));
    let mut tasks = Vec::new();
    for (((head, parts), shares), ((dq, dk), dv)) in
        heads.iter().zip(parts).zip(&mut shared.dq).zip(gradients)
    {
        let (mut dk, mut dv) = (Rest::new(dk), Rest::new(dv));
        let own = if shares.is_empty() { Some(dq) } else { None };
        let mut own = own.map(Rest::new);
        let mut shares = shares.iter_mut();
        for part in parts {
            let dq = match (&mut own, shares.next()) {
                (Some(own), _) => own.take(part.queries.clone()),
                (None, Some(share)) => share.view_mut(),
                (None, None) => continue,
            };
            tasks.push(Task {
                inputs: head.inputs,
                scoring: &head.scoring,
                part: part.clone(),
                scale,
                dq,
                dk: dk.take(part.keys.clone()),
                dv: dv.take(part.keys.clone()),
            });
        }
        for mut rest in [Some(dk), Some(dv), own].into_iter().flatten() {
            rest.view.fill(0.0);
        }
    }
    tasks
}

/// The rows of a gradient that have not been given to a task.
struct Rest<'a> {
    view: ArrayViewMut2<'a, f32>,
    /// The row with which `view` begins.
    first: usize,
}

impl<'a> Rest<'a> {
    fn new(view: ArrayViewMut2<'a, f32>) -> Rest<'a> {
        Rest { view, first: 0 }
    }

    /// The rows `range`, not before those taken earlier; those passed over are set to 0.
    fn take(&mut self, range: std::ops::Range<usize>) -> ArrayViewMut2<'a, f32> {
        let view = std::mem::replace(
            &mut self.view,
            ArrayViewMut2::from_shape((0, 0), &mut []).expect("an empty view"),
        );
        let (mut before, view) = view.split_at(Axis(0), range.start - self.first);
        before.fill(0.0);
        let (taken, rest) = view.split_at(Axis(0), range.len());
        (self.view, self.first) = (rest, range.end);
        taken
    }
}
