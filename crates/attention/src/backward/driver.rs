//! The whole pass: cut the heads into tasks, run them, add up what several of them computed.

use lookback_simd::{Isa, Kernel, RegisterTile};
use rayon::prelude::*;

use super::head::{Head, HeadGradients};
use super::keys::block_keys;
use super::ordered::Outs;
use super::partition::{Extent, Part};
use super::queue::Queue;
use super::task::Worker;
use crate::threads::on_every_thread;

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
        let parts = parts_of(heads, sharing, block_keys(I::WideTile::ROWS));
        let queue = Queue::new(parts.iter().map(Vec::len));
        let outs = Outs::new(group, &parts, (gradients.dq, gradients.dk, gradients.dv));
        let parts = &parts;
        on_every_thread(usize::MAX, || {
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
