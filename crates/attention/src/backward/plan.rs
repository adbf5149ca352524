//! The whole pass: cut the heads into tasks, run them, add up what several of them computed.

use std::sync::Mutex;

use ndarray::s;

use super::bias;
use super::call::{GradientsMut, Inputs, Options};
use super::keys::block_keys;
use super::partition::{Extent, Part};
use super::queries::HeadInputs;
use super::shares::{HeadOut, Rest, Shares};
use super::task::{Task, Worker};
use crate::isa::{Isa, Kernel, Tile};
use crate::score::HeadScoring;
use crate::shape::Shape;
use crate::{Error, Scoring};

/// Tasks to make, where the heads have the keys for it: enough to keep the threads of a large machine busy. The number of
/// threads has no part in it, so that the sums are the same whatever it is.
const TASKS: usize = 32;

/// Blocks of keys that a part has at least: packing the queries again, and a dQ of its own, then stay a small part of its
/// work.
const PART_BLOCKS: usize = 8;

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
        let mut shares = Shares::new(&shape, &parts);
        let outs = shares.outs(&parts, &mut gradients);
        let queue = Mutex::new(tasks(heads, &parts, scale, outs).into_iter());
        on_every_thread(|| isa.run(Worker { queue: &queue }));
        drop(queue);
        shares.add_up(&parts, &mut gradients);
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
    let blocks = shape.m.div_ceil(block);
    let count = TASKS.div_ceil(heads.len()).min(blocks / PART_BLOCKS).max(1);
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
            _ => (sink - f64::from(lse)).exp() * head.inputs.row_term(i),
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

/// One task for each part of each head; keys that are in no part get 0.
fn tasks<'h, 'a>(
    heads: &'h [Head<'a>],
    parts: &[Vec<Part>],
    scale: f32,
    outs: Vec<HeadOut<'h>>,
) -> Vec<Task<'h, 'a>> {
    let mut tasks = Vec::new();
    for ((head, parts), out) in heads.iter().zip(parts).zip(outs) {
        let (mut dk, mut dv) = (Rest::new(out.dk), Rest::new(out.dv));
        for (part, dq) in parts.iter().zip(out.dq) {
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
        dk.zero();
        dv.zero();
    }
    tasks
}
