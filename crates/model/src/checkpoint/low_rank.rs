//! Updates of low rank, W + s·B·A (Hu et al. 2021, arXiv:2106.09685), added to weights as they are read.

use std::sync::Arc;

/// s·B·A.
#[derive(Debug)]
pub(crate) struct LowRank {
    /// \[rank, inputs\].
    a: Vec<f32>,
    /// \[outputs, rank\].
    b: Vec<f32>,
    rank: usize,
    scale: f32,
}

impl LowRank {
    /// Of `a` [rank, inputs] and `b` [outputs, rank].
    pub(super) fn new(a: Vec<f32>, b: Vec<f32>, rank: usize, scale: f32) -> Self {
        Self { a, b, rank, scale }
    }

    /// Adds row `row` of the update to `out` \[inputs\].
    fn add(&self, row: usize, out: &mut [f32]) {
        let weights = &self.b[row * self.rank..][..self.rank];
        for (weight, a) in weights.iter().zip(self.a.chunks_exact(out.len())) {
            let weight = self.scale * weight;
            for (out, a) in out.iter_mut().zip(a) {
                *out += weight * a;
            }
        }
    }
}

/// The update of a tensor, or of some of its rows.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    low_rank: Arc<LowRank>,
    /// The update's row that belongs to the tensor's first.
    first: usize,
}

impl Update {
    pub(super) fn new(low_rank: LowRank) -> Self {
        Self {
            low_rank: Arc::new(low_rank),
            first: 0,
        }
    }

    /// That of the tensor's rows from `rows` on.
    pub(super) fn beginning_at(&self, rows: usize) -> Self {
        Self {
            low_rank: Arc::clone(&self.low_rank),
            first: self.first + rows,
        }
    }

    /// Adds what belongs to row `row` of the tensor as the update numbers its rows.
    pub(super) fn add(&self, row: usize, out: &mut [f32]) {
        self.low_rank.add(self.first + row, out);
    }
}
