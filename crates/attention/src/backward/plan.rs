//! The whole pass: cut the heads into tasks, run them, add up what several of them computed.

use ndarray::{ArrayViewMut1, ArrayViewMut2, s};
use rayon::prelude::*;

use super::call::{Inputs, Options};
use super::keys::block_keys;
use super::ordered::Outs;
use super::partition::{Extent, Part};
use super::queries::HeadInputs;
use super::queue::Queue;
use super::task::Worker;
use crate::isa::{Isa, Kernel, Tile};
use crate::score::HeadScoring;
use crate::shape::Shape;
use crate::{Error, Scoring};

/// Tasks to make, where the heads have the keys for it: enough to keep the threads of a large machine busy to the end. The
/// number of threads has no part in it, so that the sums are the same whatever it is.
const TASKS: usize = 64;

/// Blocks of keys that a part has at least: adding its dQ to those before it then stays a small part of its work.
const PART_BLOCKS: usize = 4;

/// A validated call, but for the bias's gradient.
pub(crate) struct Backward<'h, 'a, 'g> {
    /// H
    pub(crate) h: usize,
    /// H_kv
    pub(crate) h_kv: usize,
    /// Batch element after batch element, which need not be of the same length.
    pub(crate) heads: &'h [Head<'a>],
    /// How many heads to share [`TASKS`] out among.
    pub(crate) sharing: usize,
    pub(crate) scale: f32,
    pub(crate) gradients: HeadGradients<'g>,
}

/// Where the gradients of each head go.
pub(crate) struct HeadGradients<'g> {
    /// For each head, \[N, d_k\].
    pub(crate) dq: Vec<ArrayViewMut2<'g, f32>>,
    /// For each key/value head, \[M, d_k\].
    pub(crate) dk: Vec<ArrayViewMut2<'g, f32>>,
    /// For each key/value head, \[M, d_v\].
    pub(crate) dv: Vec<ArrayViewMut2<'g, f32>>,
    /// \[H\]
    pub(crate) d_sinks: Option<ArrayViewMut1<'g, f32>>,
}

/// One head of a call.
pub(crate) struct Head<'a> {
    pub(crate) inputs: HeadInputs<'a>,
    pub(crate) scoring: HeadScoring<'a>,
}

impl Kernel for Backward<'_, '_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Backward {
            h,
            h_kv,
            heads,
            sharing,
            scale,
            gradients,
        } = self;
        let (group, d_sinks) = (h / h_kv, gradients.d_sinks);
        let parts = parts_of(heads, sharing, block_keys(I::Tile::ROWS));
        let queue = Queue::new(parts.iter().map(Vec::len));
        let outs = Outs::new(group, &parts, (gradients.dq, gradients.dk, gradients.dv));
        let parts = &parts;
        on_every_thread(|| {
            isa.run(Worker {
                group,
                scale,
                heads,
                parts,
                queue: &queue,
                outs: &outs,
            });
        });
        if let Some(mut d_sinks) = d_sinks {
            let terms: Vec<f32> = heads.par_iter().map(gradient_of_sink).collect();
            d_sinks.fill(0.0);
            for (at, term) in terms.into_iter().enumerate() {
                d_sinks[at % h] += term;
            }
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
fn parts_of(heads: &[Head], sharing: usize, block: usize) -> Vec<Vec<Part>> {
    let parts = |Head { inputs, scoring }: &Head| {
        let blocks = inputs.k.nrows().div_ceil(block);
        let count = TASKS.div_ceil(sharing).min(blocks / PART_BLOCKS).max(1);
        Extent {
            mask: &scoring.mask,
            queries: inputs.q.nrows(),
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
