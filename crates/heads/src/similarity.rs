//! Similarity of raw embeddings alone, the notes' first formula: what attention would be without queries and keys.
//!
//! W_ij = softmax(x_i·x_j) over the tokens before i ([`lookback_attention::reference::similarity_only`]). The same with the
//! scores divided by √d, as attention divides them by √d_k, is given beside it and always under its own name. `explain` and
//! `who` both take their baseline from here.

use lookback_attention::{Mask, reference};
use ndarray::{Array2, ArrayView2};
use serde::Serialize;

use crate::Error;

/// What each of some candidates gets by similarity of the raw embeddings: \[candidates\] each.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Similarity {
    /// softmax(x_i·x_j) over the tokens before i: the notes' first formula.
    pub similarity: Vec<f64>,
    /// softmax(x_i·x_j/√d) over the same tokens.
    pub scaled: Vec<f64>,
    /// softmax(x_i·x_j/√d) over the same tokens and i itself, as a causal mask has it.
    pub scaled_with_self: Vec<f64>,
}

/// The weights of rows i of X by similarity, \[rows, N\] each.
pub(crate) struct SimilarityWeights {
    pub(crate) similarity: Array2<f64>,
    pub(crate) scaled: Array2<f64>,
    pub(crate) scaled_with_self: Array2<f64>,
}

impl SimilarityWeights {
    /// Of rows `first`.. of `x` \[N, d\], as many as `rows`.
    pub(crate) fn new(x: ArrayView2<f64>, rows: std::ops::Range<usize>) -> Result<Self, Error> {
        let offset = rows.start as isize;
        let scores = reference::scores(x.slice(ndarray::s![rows, ..]), x)?;
        let scaled = reference::scale(scores.view(), 1.0 / (x.ncols() as f64).sqrt())?;
        let softmax = |scores: ArrayView2<f64>, mask: &Mask| {
            reference::softmax(reference::mask(scores, mask)?.view())
        };
        let before = Mask::StrictlyBefore { offset };
        Ok(Self {
            similarity: softmax(scores.view(), &before)?,
            scaled: softmax(scaled.view(), &before)?,
            scaled_with_self: softmax(scaled.view(), &Mask::Causal { offset })?,
        })
    }
}
