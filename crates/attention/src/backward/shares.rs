//! Gradients that several tasks have a share in: one share a task, added up in a fixed order when all are done.

use ndarray::{Array2, Array4, ArrayViewMut2, ArrayViewMut4, Axis, s};
use rayon::prelude::*;

use super::call::GradientsMut;
use super::partition::Part;
use crate::shape::Shape;

/// The shares of all tasks but those that write to the gradients themselves: a head's first part, and the first head of
/// a group.
pub(super) struct Shares {
    /// For each head and each of its parts after the first: \[the part's queries, d_k\].
    dq: Vec<Vec<Array2<f32>>>,
    /// \[B · H_kv, group − 1, M, d_k\]
    dk: Array4<f32>,
    /// \[B · H_kv, group − 1, M, d_v\]
    dv: Array4<f32>,
}

/// Where the tasks of one head write.
pub(super) struct HeadOut<'h> {
    /// One a part, each of as many rows as the part has queries.
    pub(super) dq: Vec<ArrayViewMut2<'h, f32>>,
    /// \[M, d_k\]
    pub(super) dk: ArrayViewMut2<'h, f32>,
    /// \[M, d_v\]
    pub(super) dv: ArrayViewMut2<'h, f32>,
}

impl Shares {
    /// Room for the shares of `parts`, the parts of each head.
    pub(super) fn new(shape: &Shape, parts: &[Vec<Part>]) -> Shares {
        let (kv_heads, others) = (shape.b * shape.h_kv, shape.group() - 1);
        let of_part = |part: &Part| Array2::zeros((part.queries.len(), shape.d_k));
        let of_head = |parts: &Vec<Part>| parts.iter().skip(1).map(of_part).collect();
        Shares {
            dq: parts.iter().map(of_head).collect(),
            dk: Array4::zeros((kv_heads, others, shape.m, shape.d_k)),
            dv: Array4::zeros((kv_heads, others, shape.m, shape.d_v)),
        }
    }

    /// Where each head's tasks write: to `gradients` or to a share. Queries that the first part does not hold get 0.
    pub(super) fn outs<'h>(
        &'h mut self,
        parts: &[Vec<Part>],
        gradients: &'h mut GradientsMut,
    ) -> Vec<HeadOut<'h>> {
        let group = self.dk.dim().1 + 1;
        let mut dk = (
            heads_of(gradients.dk.view_mut()).into_iter(),
            heads_of(self.dk.view_mut()).into_iter(),
        );
        let mut dv = (
            heads_of(gradients.dv.view_mut()).into_iter(),
            heads_of(self.dv.view_mut()).into_iter(),
        );
        let dq = heads_of(gradients.dq.view_mut())
            .into_iter()
            .zip(&mut self.dq);
        let mut outs = Vec::with_capacity(parts.len());
        for (head, ((dq, shares), parts)) in dq.zip(parts).enumerate() {
            let first = match parts.first() {
                Some(part) => part.queries.clone(),
                None => 0..0,
            };
            let mut own = Rest::new(dq);
            let mut dq = vec![own.take(first)];
            own.zero();
            dq.truncate(parts.len());
            dq.extend(shares.iter_mut().map(|share| share.view_mut()));
            let (dk, dv) = match head % group {
                0 => (dk.0.next(), dv.0.next()),
                _ => (dk.1.next(), dv.1.next()),
            };
            if let (Some(dk), Some(dv)) = (dk, dv) {
                outs.push(HeadOut { dq, dk, dv });
            }
        }
        outs
    }

    /// Adds the shares to the gradients, in the order of the parts and of the heads.
    pub(super) fn add_up(&self, parts: &[Vec<Part>], gradients: &mut GradientsMut) {
        let dq = heads_of(gradients.dq.view_mut()).into_par_iter();
        dq.zip(&self.dq)
            .zip(parts)
            .for_each(|((mut dq, shares), parts)| {
                for (share, part) in shares.iter().zip(parts.iter().skip(1)) {
                    let mut rows = dq.slice_mut(s![part.queries.clone(), ..]);
                    rows += share;
                }
            });
        for (shares, out) in [(&self.dk, &mut gradients.dk), (&self.dv, &mut gradients.dv)] {
            let out = heads_of(out.view_mut()).into_par_iter();
            out.enumerate().for_each(|(kv_head, mut out)| {
                for share in shares.index_axis(Axis(0), kv_head).outer_iter() {
                    out += &share;
                }
            });
        }
    }
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

/// The rows of a gradient that have not been given away.
pub(super) struct Rest<'a> {
    view: Option<ArrayViewMut2<'a, f32>>,
    /// The row with which `view` begins.
    first: usize,
}

impl<'a> Rest<'a> {
    pub(super) fn new(view: ArrayViewMut2<'a, f32>) -> Rest<'a> {
        Rest {
            view: Some(view),
            first: 0,
        }
    }

    /// The rows `range`, which begin where those taken last ended or later; rows passed over are set to 0.
    pub(super) fn take(&mut self, range: std::ops::Range<usize>) -> ArrayViewMut2<'a, f32> {
        let view = self.view.take().expect("put back by every call");
        let (mut before, view) = view.split_at(Axis(0), range.start - self.first);
        before.fill(0.0);
        let (taken, rest) = view.split_at(Axis(0), range.len());
        (self.view, self.first) = (Some(rest), range.end);
        taken
    }

    /// Sets what is left to 0.
    pub(super) fn zero(self) {
        if let Some(mut view) = self.view {
            view.fill(0.0);
        }
    }
}
