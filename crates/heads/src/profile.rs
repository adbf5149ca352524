//! What each head does on a given text, in one walk over its weights: O(N) memory, no N×N matrix.
//!
//! All figures are means over the text's own rows: those behind the prefix and before the suffix, without the rows that see no key and, where
//! there is no prefix, without a first row that sees nothing but itself. Any mask will do: causal, windows, ranges, or none.
//! Definitions, sources, and how each misleads: `docs/heads.md`.

use std::sync::atomic::AtomicBool;

use lookback_trace::observe::{DistanceMass, Distances, Entropy, Received, Span, SpanMass};
use lookback_trace::{HeadId, Trace};
use ndarray::{Array3, Array4, ArrayView1, Axis, s};
use serde::Serialize;

use crate::{Error, sink, visible};

/// A row puts its weight on the sink where more than this share of it lies there (Gu et al. 2024).
pub const SINK_THRESHOLD: f32 = 0.3;

/// Local weight lies on the query's own token and on those less than this many away from it, before or after.
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
    /// Mean weight on tokens less than [`LOCAL`] away: where the mask is causal, the [`LOCAL`] up to the query's own.
    pub local_share: f64,
    /// Mean weight on special tokens, in the prefix or in the text.
    pub special_share: f64,
    /// What it moves; none where the trace holds no norms of values. In JSON, its three shares stand among the others.
    #[serde(flatten)]
    pub values: Option<ValueShares>,
}

/// Parts of Σ‖w_ij·f(x_j)‖, of what a head moves: f(x) = v·W_o.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ValueShares {
    /// The sink's part.
    pub value_sink_share: f64,
    /// The part of the query's own token.
    pub value_self_share: f64,
    /// The part of the token before.
    pub value_previous_share: f64,
}

/// Every head of a trace, in order. `special` says which tokens are special: \[N\], or empty for none but the prefix.
///
/// # Errors
/// [`Error::TooShort`] where the text has no row that counts, and [`Error::Trace`].
pub fn profiles(trace: &Trace, special: &[bool]) -> Result<Vec<HeadProfile>, Error> {
    let never = AtomicBool::new(false);
    let layers = trace.layer_ids().iter();
    let layers = layers.map(|&layer| of_layer(trace, special, layer, &never));
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
    trace.require_self_attention("A profile of a head")?;
    let selection = Selection::new(trace, special, layer)?;
    let seen = trace.observe_cancellable(layer, &selection.observers(), cancel)?;
    let seen = Observed::new(seen.ok_or(Error::Cancelled)?);
    let heads = trace.head_ids(layer).iter().enumerate();
    heads
        .map(|(h, &head)| selection.profile(trace, &seen, (h, HeadId { layer, head })))
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

/// The rows and keys of a layer that the figures are about.
struct Selection {
    /// The rows that count, ascending; at least one.
    rows: Vec<usize>,
    /// Keys 0..sink are the sink.
    sink: usize,
    /// Where query 0 stands among the keys.
    offset: isize,
    /// Sink, own, previous, local, then each run of special tokens.
    spans: SpanMass,
    special_runs: usize,
}

impl Selection {
    fn new(trace: &Trace, special: &[bool], layer: usize) -> Result<Self, Error> {
        let prefix = trace.meta().prefix_tokens;
        let sink = prefix.max(1);
        let rows = counted(trace, layer);
        if trace.n() <= sink || rows.is_empty() {
            return Err(Error::TooShort { tokens: trace.n() });
        }
        let text = prefix..trace.n() - trace.meta().suffix_tokens;
        let is_special = |j: usize| !text.contains(&j) || special.get(j).copied().unwrap_or(false);
        let mut spans = vec![
            Span::Keys(0..sink),
            Span::own(),
            Span::previous(),
            Span::Distances(1 - LOCAL..LOCAL),
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
            rows,
            sink,
            offset: visible::offset(trace, layer),
            special_runs: spans.len() - 4,
            spans: SpanMass::new(spans),
        })
    }

    fn observers(&self) -> (&SpanMass, Entropy, DistanceMass, Received) {
        (&self.spans, Entropy, DistanceMass, Received)
    }

    /// `h` is the head's place in the layer.
    fn profile(
        &self,
        trace: &Trace,
        seen: &Observed,
        (h, id): (usize, HeadId),
    ) -> Result<HeadProfile, Error> {
        let mass = seen.mass.slice(s![0, h, .., ..]);
        let mass = mass.select(Axis(0), &self.rows);
        let each = |of_rows: &Array3<f32>| of_rows.slice(s![0, h, ..]).select(Axis(0), &self.rows);
        let mean_of = |column: usize| mean(mass.column(column).iter().copied());
        let on_sink = self.on_sink(trace, seen, (h, id));
        let above = on_sink.iter().filter(|&&w| w > SINK_THRESHOLD).count();
        let values = match trace.has_vnorm() {
            false => None,
            true => {
                let moved = Moved {
                    offset: self.offset,
                    rows: &self.rows,
                    vnorm: trace.vnorm(id.layer, id.head)?,
                    received: seen.received.slice(s![0, h, ..]),
                    uncounted: self.uncounted(trace, id)?,
                };
                Some(ValueShares {
                    value_sink_share: moved.by_sink(self.sink),
                    value_self_share: moved.by_distance(mass.column(1), 0),
                    value_previous_share: moved.by_distance(mass.column(2), 1),
                })
            }
        };
        Ok(HeadProfile {
            head: id,
            sink_share: mean(on_sink.iter().copied()),
            sink_rate: above as f64 / on_sink.len() as f64,
            entropy: mean(each(&seen.entropy).iter().copied()),
            mean_distance: mean(each(&seen.distances.mean).iter().copied()),
            self_share: mean_of(1),
            previous_share: mean_of(2),
            local_share: mean_of(3),
            special_share: (4..4 + self.special_runs).map(mean_of).sum(),
            values,
        })
    }

    /// Each row's weight on the sink; a learned sink takes what the keys' weights lack to 1.
    fn on_sink(&self, trace: &Trace, seen: &Observed, (h, id): (usize, HeadId)) -> Vec<f32> {
        let mass = |i: usize| seen.mass[[0, h, i, 0]];
        let learned = |i: usize| {
            let on_keys = seen.distances.mass.slice(s![0, h, i, ..]).sum();
            sink::learned(trace, id.layer, on_keys.into()) as f32
        };
        match trace.has_sink(id.layer) {
            false => self.rows.iter().map(|&i| mass(i)).collect(),
            true => self.rows.iter().map(|&i| mass(i) + learned(i)).collect(),
        }
    }

    /// The weight that each key receives from the rows before the first and behind the last that counts; keys that none of them
    /// sees are left off the end. (Those between see no key.)
    fn uncounted(&self, trace: &Trace, id: HeadId) -> Result<Vec<f64>, Error> {
        let (first, last) = (self.rows[0], self.rows[self.rows.len() - 1]);
        let mut received = Vec::new();
        for rows in [0..first, last + 1..trace.n()] {
            let seen = |row| visible::keys(trace, id.layer, row).end;
            let keys = 0..rows.clone().map(seen).max().unwrap_or(0);
            received.resize(received.len().max(keys.end), 0.0);
            let weights = trace.weights(id.layer, id.head, rows, keys)?;
            for (sum, column) in received.iter_mut().zip(weights.columns()) {
                *sum += column.iter().map(|&w| f64::from(w)).sum::<f64>();
            }
        }
        Ok(received)
    }
}

/// The rows of a layer that count: the text's own that see a key, and without a prefix not a first one that sees itself
/// alone.
fn counted(trace: &Trace, layer: usize) -> Vec<usize> {
    let meta = trace.meta();
    let keys = |row: usize| visible::keys(trace, layer, row).len();
    let first = match meta.prefix_tokens {
        0 if trace.n() > 0 && keys(0) <= 1 => 1,
        prefix => prefix,
    };
    (first..trace.n() - meta.suffix_tokens)
        .filter(|&row| keys(row) > 0)
        .collect()
}

/// What one walk over a layer's weights finds.
struct Observed {
    /// \[1, H, N, spans\]
    mass: Array4<f32>,
    /// \[1, H, N\]
    entropy: Array3<f32>,
    distances: Distances,
    /// \[1, H, N\]
    received: Array3<f64>,
}

impl Observed {
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
    /// Where query 0 stands among the keys.
    offset: isize,
    /// The rows that count.
    rows: &'a [usize],
    /// ‖f(x_j)‖: \[N\].
    vnorm: ArrayView1<'a, f32>,
    /// Weight received from all rows: \[N\].
    received: ArrayView1<'a, f64>,
    /// Weight received from the rows that do not count; as long as there is any.
    uncounted: Vec<f64>,
}

impl Moved<'_> {
    fn of_key(&self, j: usize) -> f64 {
        let uncounted = self.uncounted.get(j).copied().unwrap_or(0.0);
        (self.received[j] - uncounted).max(0.0) * f64::from(self.vnorm[j])
    }

    fn total(&self) -> f64 {
        (0..self.received.len()).map(|j| self.of_key(j)).sum()
    }

    fn by_sink(&self, sink: usize) -> f64 {
        ratio((0..sink).map(|j| self.of_key(j)).sum(), self.total())
    }

    /// `weights` \[rows\] lie on the key `back` tokens before each row; 0 where there is none.
    fn by_distance(&self, weights: ArrayView1<f32>, back: isize) -> f64 {
        let norm = |key: isize| {
            usize::try_from(key)
                .ok()
                .and_then(|key| self.vnorm.get(key))
        };
        let each = self.rows.iter().zip(weights).map(|(&row, &weight)| {
            let key = row as isize + self.offset - back;
            f64::from(weight) * norm(key).copied().map_or(0.0, f64::from)
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
