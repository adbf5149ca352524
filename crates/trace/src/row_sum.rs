//! What no softmax yields: how a damaged trace is noticed.

use ndarray::ArrayView1;

use crate::statistics::sum;
use crate::{Error, Trace};

/// Refuses all weights of query `i` of a head without a sink, \[N\], where they do not sum to 1 though it sees a key.
pub(crate) fn validate_row_sum(
    trace: &Trace,
    (layer, head): (usize, usize),
    (i, row): (usize, ArrayView1<f32>),
) -> Result<(), Error> {
    let mask = trace.meta().layers[layer].scoring().mask;
    let seen = mask.visible(i, trace.n()).len();
    let cuts = trace.cuts_of(layer, head);
    let cut = cuts.iter().filter(|cut| cut.i == i).count();
    let sum = sum(row.iter().copied());
    let lse = trace.lse(layer, head)?[i];
    let slack = f64::from(highest_weight(lse) - 1.0).max(0.0);
    if seen == cut || (sum - 1.0).abs() <= slack {
        return Ok(());
    }
    Err(Error::NotARow {
        layer,
        head,
        i,
        sum,
    })
}

/// The largest weight that rounding can make of a true one under this LSE. Scores are of the LSE's size, and each
/// is off by some units in its last place (6e-8 of it), which the exponential turns into a factor.
pub(crate) fn highest_weight(lse: f32) -> f32 {
    if lse.is_finite() {
        1.01 + 1e-5 * lse.abs()
    } else {
        0.0
    }
}
