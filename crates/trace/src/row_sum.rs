//! What no softmax yields: how a damaged trace is noticed.

use lookback_attention::weights::highest_weight;
use ndarray::ArrayView1;

use crate::{Error, Trace};

/// Refuses all weights of query `i` of a head without a sink, \[M\], where they do not sum to 1 though it sees a key.
pub(crate) fn validate_row_sum(
    trace: &Trace,
    (layer, head): (usize, usize),
    (i, row): (usize, ArrayView1<f32>),
) -> Result<(), Error> {
    let seen = trace.mask(layer)?.visible(i, trace.m());
    // Cuts are sorted; one may stand there twice, and one may name a key that the mask hides anyway.
    let mut cut: Vec<usize> = trace
        .cuts_of(layer, head)
        .iter()
        .filter(|cut| cut.i == i && seen.contains(&cut.j))
        .map(|cut| cut.j)
        .collect();
    cut.dedup();
    let sum = sum(row.iter().copied());
    let lse = trace.lse(layer, head)?[i];
    let slack = f64::from(highest_weight(lse) - 1.0).max(0.0);
    if seen.len() == cut.len() || (sum - 1.0).abs() <= slack {
        return Ok(());
    }
    Err(Error::NotARow {
        layer,
        head,
        i,
        sum,
    })
}

/// A sum of f32 in f64, in the order given.
pub(crate) fn sum(values: impl IntoIterator<Item = f32>) -> f64 {
    values.into_iter().map(f64::from).sum()
}
