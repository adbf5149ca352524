//! What storing queries and keys as f16 does to the weights.

use ndarray::{Array1, ArrayView2, Zip};
use rayon::prelude::*;

use crate::head::row_blocks;
use crate::{Error, Head, Trace};

/// The LSEs that belong to the rounded queries and keys, and what the rounding did.
pub(crate) struct Rounding {
    /// For each layer and head: \[N\].
    pub(crate) lse: Vec<Vec<Array1<f32>>>,
    /// The largest absolute change of any weight.
    pub(crate) max_weight_change: f32,
}

/// Computes every weight of a trace before and after rounding, head by head, in O(N) memory a thread.
pub(crate) fn round_all(trace: &Trace) -> Result<Rounding, Error> {
    let mut max_weight_change = 0.0_f32;
    let mut lse = Vec::with_capacity(trace.layer_count());
    for layer in 0..trace.layer_count() {
        let heads = (0..trace.head_count(layer)).into_par_iter();
        let rounded: Vec<(Array1<f32>, f32)> = heads
            .map(|head| round_head(&trace.head(layer, head)?))
            .collect::<Result<_, Error>>()?;
        let changes = rounded.iter().map(|&(_, change)| change);
        max_weight_change = changes.fold(max_weight_change, f32::max);
        lse.push(rounded.into_iter().map(|(lse, _)| lse).collect());
    }
    Ok(Rounding {
        lse,
        max_weight_change,
    })
}

/// One head's new LSEs, and its largest change of a weight.
///
/// With s' the score after rounding, exp(s' − lse) is a weight but for a factor that is common to its row. The
/// factor is what the row sums to (with the sink), so that lse' = lse + ln Σ exp(s' − lse): no row needs a maximum
/// of its own, since the old LSE is within rounding of the new one.
fn round_head(head: &Head) -> Result<(Array1<f32>, f32), Error> {
    let rounded = head.rounded();
    let old = head.lse();
    let mut lse = old.to_owned();
    let mut change = 0.0_f32;
    for block in row_blocks(0..head.n()) {
        let before = head.weights(block.clone(), 0..head.n())?;
        let mut after = rounded.weights_under(old, block.clone(), 0..head.n())?;
        for (i, mut row) in block.zip(after.outer_iter_mut()) {
            if old[i] == f32::NEG_INFINITY {
                continue;
            }
            let sink = head
                .sink()
                .map_or(0.0, |sink| f64::from(sink - old[i]).exp());
            let total = sink + row.iter().map(|&w| f64::from(w)).sum::<f64>();
            if !(total.is_finite() && total > 0.0) {
                return Err(head.scores_too_large_for_f16(i));
            }
            lse[i] = (f64::from(old[i]) + total.ln()) as f32;
            row.mapv_inplace(|w| (f64::from(w) / total) as f32);
        }
        change = change.max(largest_difference(before.view(), after.view()));
    }
    Ok((lse, change))
}

/// max |a − b|.
fn largest_difference(a: ArrayView2<f32>, b: ArrayView2<f32>) -> f32 {
    Zip::from(a)
        .and(b)
        .fold(0.0, |largest, &a, &b| largest.max((a - b).abs()))
}
