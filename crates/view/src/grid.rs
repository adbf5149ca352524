//! Every head as a small picture, with the statistics by which heads are sorted.

use std::sync::atomic::AtomicBool;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lookback_trace::Trace;
use lookback_trace::observe::{DistanceMass, Entropy, Pool, PooledTile, Span, SpanMass};
use ndarray::{ArrayView1, ArrayView2, s};
use serde::Serialize;

use crate::Error;

/// Cells along a picture's side at most.
const CELLS: usize = 48;

/// One head's picture and statistics. Means are over the queries of the text, prefix and suffix left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadPicture {
    /// Layer, from 0.
    pub layer: usize,
    /// Query head, from 0.
    pub head: usize,
    /// Cells along its side.
    pub side: usize,
    /// The largest weight w of each cell, row by row, in base64: 0 for none, else 1 + 254·(1 + log₁₀(w / peak) / 4),
    /// and 1 below a ten-thousandth of the peak.
    pub cells: String,
    /// The largest weight.
    pub peak: f32,
    /// The mean entropy of a query's weights, in nats.
    pub entropy: f32,
    /// The mean distance looked back, in tokens, weighted by the weights.
    pub distance: f32,
    /// The mean weight on the prefix, or on the first token where there is none.
    pub sink: f32,
    /// The mean weight on the token before.
    pub previous: f32,
    /// The mean weight on the query's own token.
    pub itself: f32,
}

/// The pictures of a layer's heads, from one pass over its weights.
///
/// # Errors
/// [`Error::Trace`], which cross-attention is too, and [`Error::Cancelled`] once `cancel` is set.
///
/// ```
/// let trace = lookback_heads::example::Example::default().trace();
/// let pictures = lookback_view::grid::pictures(&trace, 1, &Default::default())?;
/// assert_eq!(pictures.len(), 2);
/// assert!(pictures[0].sink > 0.0 && pictures[0].entropy > 0.0);
/// # Ok::<(), lookback_view::Error>(())
/// ```
pub fn pictures(
    trace: &Trace,
    layer: usize,
    cancel: &AtomicBool,
) -> Result<Vec<HeadPicture>, Error> {
    trace.require_self_attention("A picture of every head")?;
    let (n, meta) = (trace.n(), trace.meta());
    let (prefix, heads) = (meta.prefix_tokens, trace.head_ids(layer));
    let side = n.min(CELLS);
    let tile = PooledTile {
        rows: 0..n,
        cols: 0..n,
        height: side,
        width: side,
        pool: Pool::Max,
    };
    let masses = SpanMass::new([Span::Keys(0..prefix.max(1)), Span::previous(), Span::own()]);
    let observers = (tile, Entropy, DistanceMass, masses);
    let seen = trace.observe_cancellable(layer, &observers, cancel)?;
    let (cells, entropy, distances, masses) = seen.ok_or(Error::Cancelled)?;
    let first = prefix.min(n - 1);
    let text = first..(n - meta.suffix_tokens).max(first + 1);
    let picture = |(at, &head): (usize, &usize)| {
        let cells: ArrayView2<f32> = cells.slice(s![0, at, .., ..]);
        let peak = cells.iter().copied().fold(0.0, f32::max);
        let bytes: Vec<u8> = cells.iter().map(|&cell| part(cell, peak)).collect();
        let mass = |span: usize| mean(masses.slice(s![0, at, text.clone(), span]));
        HeadPicture {
            layer,
            head,
            side,
            cells: BASE64_STANDARD.encode(bytes),
            peak,
            entropy: mean(entropy.slice(s![0, at, text.clone()])),
            distance: mean(distances.mean.slice(s![0, at, text.clone()])),
            sink: mass(0),
            previous: mass(1),
            itself: mass(2),
        }
    };
    Ok(heads.iter().enumerate().map(picture).collect())
}

/// Powers of ten that a picture spans.
const DECADES: f32 = 4.0;

/// A cell on the logarithmic scale from the peak down; no weight but 0 becomes 0.
fn part(cell: f32, peak: f32) -> u8 {
    if cell > 0.0 {
        let place = 1.0 + (cell / peak).log10() / DECADES;
        (1.0 + 254.0 * place.max(0.0)).round() as u8
    } else {
        0
    }
}

/// The mean of what there is: queries that see nothing have no statistics.
fn mean(values: ArrayView1<f32>) -> f32 {
    let known = values.iter().filter(|value| !value.is_nan());
    let (count, sum) = known.fold((0_usize, 0.0), |(count, sum), &value| {
        (count + 1, sum + f64::from(value))
    });
    (sum / count.max(1) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use lookback_heads::example::Example;

    #[test]
    fn a_cell_is_its_place_between_the_peak_and_a_ten_thousandth_of_it() {
        assert_eq!(part(0.5, 0.5), 255);
        assert_eq!(part(0.005, 0.5), 128);
        assert_eq!((part(1e-6, 0.5), part(0.0, 0.5)), (1, 0));
    }

    #[test]
    fn statistics_are_means_over_the_rows_of_the_text() {
        let trace = Example::default().trace();
        let n = trace.n();
        for picture in pictures(&trace, 2, &AtomicBool::new(false)).unwrap() {
            let head = trace.head(picture.layer, picture.head).unwrap();
            let rows: Vec<_> = (1..n).map(|i| (i, head.row(i).unwrap())).collect();
            let mean = |of: &dyn Fn(usize, &ndarray::Array1<f32>) -> f32| {
                rows.iter()
                    .map(|(i, row)| f64::from(of(*i, row)))
                    .sum::<f64>()
                    / (n - 1) as f64
            };
            let distance = |i: usize, row: &ndarray::Array1<f32>| {
                row.iter()
                    .enumerate()
                    .map(|(j, w)| w * i.abs_diff(j) as f32)
                    .sum()
            };
            for (got, expected) in [
                (picture.sink, mean(&|_, row| row[0])),
                (picture.previous, mean(&|i, row| row[i - 1])),
                (picture.itself, mean(&|i, row| row[i])),
                (picture.distance, mean(&distance)),
                (picture.entropy, mean(&|i, _| head.entropy(i).unwrap())),
            ] {
                assert!(
                    (f64::from(got) - expected).abs() < 1e-4,
                    "{got} is not {expected}"
                );
            }
        }
    }
}
