//! What each head does on a given text, in one walk over its weights: O(N) memory, no N×N matrix.
//!
//! All figures are means over the text's own rows: those behind the prefix, or, without a prefix, all but the first,
//! which sees nothing but itself. Definitions, sources, and how each misleads: `docs/heads.md`.

use std::sync::atomic::AtomicBool;

use lookback_trace::observe::{DistanceMass, Distances, Entropy, Received, Span, SpanMass};
use lookback_trace::{HeadId, Trace};
use ndarray::{Array3, Array4, ArrayView1, Axis, s};
use serde::Serialize;

use crate::Error;

/// A row puts its weight on the sink where more than this share of it lies there (Gu et al. 2024).
pub const SINK_THRESHOLD: f32 = 0.3;

/// Local weight lies on this many tokens: the query's own and those right before it.
pub const LOCAL: isize = 8;

/// What one head does on a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HeadProfile {
    /// The head.
    #[serde(flatten)]
    pub head: HeadId,
    /// Mean weight on the sink: the prefix, or the first token where there is none; a learned sink's part included.
    pub sink_share: f64,
    /// Share of rows with more than [`SINK_THRESHOLD`] of their weight on the sink.
    pub sink_rate: f64,
    /// Mean entropy of a row, in nats.
    pub entropy: f64,
    /// Mean distance of the weight from the query, in tokens.
    pub mean_distance: f64,
    /// Mean weight on the query's own token.
    pub self_share: f64,
    /// Mean weight on the token before.
    pub previous_share: f64,
    /// Mean weight on the [`LOCAL`] tokens up to the query's own.
    pub local_share: f64,
    /// Mean weight on special tokens, in the prefix or in the text.
    pub special_share: f64,
    /// The sink's part of Σ‖w_ij·f(x_j)‖, what the head moves: f(x) = v·W_o.
    pub value_sink_share: f64,
    /// The part of the query's own token in it.
    pub value_self_share: f64,
    /// The part of the token before in it.
    pub value_previous_share: f64,
}

/// Every head of a trace, in order. `special` says which tokens are special: \[N\], or empty for none but the prefix.
///
/// # Errors
/// [`Error::TooShort`] where the text has no row to speak of, and [`Error::Trace`].
pub fn profiles(trace: &Trace, special: &[bool]) -> Result<Vec<HeadProfile>, Error> {
    let never = AtomicBool::new(false);
    let layers = (0..trace.layer_count()).map(|layer| of_layer(trace, special, layer, &never));
    Ok(layers.collect::<Result<Vec<_>, _>>()?.concat())
}

/// The heads of one layer, in order.
///
/// # Errors
/// As [`profiles`], and [`Error::Cancelled`] once `cancel` is set.
pub fn of_layer(
    trace: &Trace,
    special: &[bool],
    layer: usize,
    cancel: &AtomicBool,
) -> Result<Vec<HeadProfile>, Error> {
    let rows = Rows::new(trace, special)?;
    let seen = trace.observe_cancellable(layer, &rows.observers(), cancel)?;
    let seen = Seen::new(seen.ok_or(Error::Cancelled)?);
    (0..trace.head_count(layer))
        .map(|head| rows.profile(trace, &seen, HeadId { layer, head }))
        .collect()
}

/// The share of heads whose mean weight on the sink is above [`SINK_THRESHOLD`]: a model's sink rate as Gu et al.
/// (2024) define it.
#[must_use]
pub fn sink_rate(profiles: &[HeadProfile]) -> f64 {
    let sinks = profiles
        .iter()
        .filter(|p| p.sink_share > f64::from(SINK_THRESHOLD));
    sinks.count() as f64 / profiles.len().max(1) as f64
}

/// What of a text is looked at.
struct Rows {
    /// The first row that counts.
    first: usize,
    /// Keys 0..sink are the sink.
    sink: usize,
    /// Sink, own, previous, local, then each run of special tokens.
    spans: SpanMass,
    special_runs: usize,
}

impl Rows {
    fn new(trace: &Trace, special: &[bool]) -> Result<Self, Error> {
        let prefix = trace.meta().prefix_tokens;
        let sink = prefix.max(1);
        if trace.n() <= sink {
            return Err(Error::TooShort { tokens: trace.n() });
        }
        let is_special = |j: usize| j < prefix || special.get(j).copied().unwrap_or(false);
        let mut spans = vec![
            Span::Keys(0..sink),
            Span::own(),
            Span::previous(),
            Span::Distances(0..LOCAL),
        ];
        let mut start = None;
        for j in 0..=trace.n() {
            match (start, j < trace.n() && is_special(j)) {
                (None, true) => start = Some(j),
                (Some(from), false) => {
                    spans.push(Span::Keys(from..j));
                    start = None;
                }
                _ => {}
            }
        }
        Ok(Self {
            first: sink,
            sink,
            special_runs: spans.len() - 4,
            spans: SpanMass::new(spans),
        })
    }

    fn observers(&self) -> (&SpanMass, Entropy, DistanceMass, Received) {
        (&self.spans, Entropy, DistanceMass, Received)
    }

    fn profile(&self, trace: &Trace, seen: &Seen, id: HeadId) -> Result<HeadProfile, Error> {
        let (h, rows) = (id.head, s![0, id.head, self.first..]);
        let mass = seen.mass.slice(s![0, h, self.first.., ..]);
        let mean_of = |column: usize| mean(mass.column(column).iter().copied());
        let on_sink = self.on_sink(trace, seen, id);
        let above = on_sink.iter().filter(|&&w| w > SINK_THRESHOLD).count();
        let moved = Moved {
            first: self.first,
            vnorm: trace.vnorm(id.layer, h)?,
            received: seen.received.slice(s![0, h, ..]),
            before: self.before(trace, id)?,
        };
        let distance = seen.distances.mean.slice(rows);
        Ok(HeadProfile {
            head: id,
            sink_share: mean(on_sink.iter().copied()),
            sink_rate: above as f64 / on_sink.len() as f64,
            entropy: mean(seen.entropy.slice(rows).iter().copied()),
            mean_distance: mean(distance.iter().copied()),
            self_share: mean_of(1),
            previous_share: mean_of(2),
            local_share: mean_of(3),
            special_share: (4..4 + self.special_runs).map(mean_of).sum(),
            value_sink_share: moved.by_sink(self.sink),
            value_self_share: moved.by_distance(mass.column(1), 0),
            value_previous_share: moved.by_distance(mass.column(2), 1),
        })
    }

    /// Each row's weight on the sink; a learned sink takes what the keys' weights lack to 1.
    fn on_sink(&self, trace: &Trace, seen: &Seen, id: HeadId) -> Vec<f32> {
        let mass = seen.mass.slice(s![0, id.head, self.first.., 0]);
        if trace.meta().layers[id.layer].sinks.is_none() {
            return mass.to_vec();
        }
        let by_distance = seen.distances.mass.slice(s![0, id.head, self.first.., ..]);
        let on_keys = by_distance.sum_axis(Axis(1));
        let each = mass.iter().zip(&on_keys);
        each.map(|(mass, keys)| mass + (1.0 - keys).max(0.0))
            .collect()
    }

    /// The weight that each key receives from the rows that do not count: \[first\]; later keys receive none.
    fn before(&self, trace: &Trace, id: HeadId) -> Result<Vec<f64>, Error> {
        let weights = trace.weights(id.layer, id.head, 0..self.first, 0..self.first)?;
        let columns = weights.columns().into_iter();
        Ok(columns
            .map(|column| column.iter().map(|&w| f64::from(w)).sum())
            .collect())
    }
}

/// What one walk over a layer's weights finds.
struct Seen {
    /// \[1, H, N, spans\]
    mass: Array4<f32>,
    /// \[1, H, N\]
    entropy: Array3<f32>,
    distances: Distances,
    /// \[1, H, N\]
    received: Array3<f64>,
}

impl Seen {
    fn new(
        (mass, entropy, distances, received): (Array4<f32>, Array3<f32>, Distances, Array3<f64>),
    ) -> Self {
        Self {
            mass,
            entropy,
            distances,
            received,
        }
    }
}

/// Σ_i w_ij·‖f(x_j)‖, over the rows that count.
struct Moved<'a> {
    first: usize,
    /// ‖f(x_j)‖: \[N\].
    vnorm: ArrayView1<'a, f32>,
    /// Weight received from all rows: \[N\].
    received: ArrayView1<'a, f64>,
    /// Weight received from the rows before the first that counts.
    before: Vec<f64>,
}

impl Moved<'_> {
    fn of_key(&self, j: usize) -> f64 {
        let before = self.before.get(j).copied().unwrap_or(0.0);
        (self.received[j] - before).max(0.0) * f64::from(self.vnorm[j])
    }

    fn total(&self) -> f64 {
        (0..self.received.len()).map(|j| self.of_key(j)).sum()
    }

    fn by_sink(&self, sink: usize) -> f64 {
        ratio((0..sink).map(|j| self.of_key(j)).sum(), self.total())
    }

    /// `weights` \[rows\] lie on the key `back` tokens before each row.
    fn by_distance(&self, weights: ArrayView1<f32>, back: usize) -> f64 {
        let each = weights.iter().enumerate().map(|(row, &weight)| {
            f64::from(weight) * f64::from(self.vnorm[self.first + row - back])
        });
        ratio(each.sum(), self.total())
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn mean(values: impl ExactSizeIterator<Item = f32>) -> f64 {
    let count = values.len().max(1) as f64;
    values.map(f64::from).sum::<f64>() / count
}
