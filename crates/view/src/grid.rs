//! Every head as a small picture, with the statistics by which heads are sorted.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lookback_trace::{Head, Trace};
use serde::Serialize;

use crate::Error;
use crate::pooled::{Area, Pool, peak, pooled};

/// Cells along a picture's side at most.
const CELLS: usize = 48;

/// One head's picture and statistics. Means are over the queries of the text, the prefix left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadPicture {
    /// Layer, from 0.
    pub layer: usize,
    /// Query head, from 0.
    pub head: usize,
    /// Cells along its side.
    pub side: usize,
    /// The largest weight of each cell as a part of the peak, 0 to 255, row by row, in base64.
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

/// One head's picture.
///
/// # Errors
/// [`Error::Trace`].
///
/// ```
/// let trace = lookback_heads::example::Example::default().trace();
/// let picture = lookback_view::grid::picture(&trace, 1, 0)?;
/// assert!(picture.sink >= 0.0 && picture.entropy > 0.0);
/// # Ok::<(), lookback_view::Error>(())
/// ```
pub fn picture(trace: &Trace, layer: usize, head: usize) -> Result<HeadPicture, Error> {
    let asked = trace.head(layer, head)?;
    let n = trace.n();
    let area = Area {
        rows: 0..n,
        cols: 0..n,
        cell: n.div_ceil(CELLS),
    };
    let cells = pooled(&asked, &area, Pool::Max, &Default::default())?;
    let peak = peak(&cells);
    let bytes: Vec<u8> = cells.iter().map(|&cell| part(cell, peak)).collect();
    let statistics = Statistics::new(&asked, trace.meta().prefix_tokens)?;
    Ok(HeadPicture {
        layer,
        head,
        side: cells.nrows(),
        cells: BASE64_STANDARD.encode(bytes),
        peak,
        entropy: statistics.mean(statistics.entropy),
        distance: statistics.mean(statistics.distance),
        sink: statistics.mean(statistics.sink),
        previous: statistics.mean(statistics.previous),
        itself: statistics.mean(statistics.itself),
    })
}

fn part(cell: f32, peak: f32) -> u8 {
    if peak > 0.0 {
        (255.0 * cell / peak).round() as u8
    } else {
        0
    }
}

/// Sums over queries.
#[derive(Default)]
struct Statistics {
    queries: usize,
    entropy: f64,
    distance: f64,
    sink: f64,
    previous: f64,
    itself: f64,
}

impl Statistics {
    fn new(head: &Head<'_>, prefix: usize) -> Result<Self, Error> {
        let n = head.n();
        let mut sums = Self {
            queries: n - prefix.min(n),
            ..Self::default()
        };
        for start in (prefix..n).step_by(128) {
            let rows = start..(start + 128).min(n);
            let weights = head.weights(rows.clone(), 0..n)?;
            for (i, row) in rows.zip(weights.outer_iter()) {
                sums.previous += if i > 0 { f64::from(row[i - 1]) } else { 0.0 };
                sums.itself += f64::from(row[i]);
                sums.sink += row
                    .iter()
                    .take(prefix.max(1))
                    .map(|&w| f64::from(w))
                    .sum::<f64>();
                for (j, w) in row
                    .iter()
                    .map(|&w| f64::from(w))
                    .enumerate()
                    .filter(|(_, w)| *w > 0.0)
                {
                    sums.entropy -= w * w.ln();
                    sums.distance += w * i.abs_diff(j) as f64;
                }
            }
        }
        Ok(sums)
    }

    fn mean(&self, sum: f64) -> f32 {
        (sum / self.queries.max(1) as f64) as f32
    }
}
