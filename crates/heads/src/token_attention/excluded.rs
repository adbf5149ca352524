//! The keys that the shares of token attention leave out.

use std::ops::Range;

use lookback_trace::{HeadId, Trace};
use ndarray::{Array1, s};

use super::units::Units;
use crate::sink;

/// What decides which keys are excluded.
pub(super) struct Rule {
    /// Whether the prefix is kept.
    pub(super) keep_prefix: bool,
    /// The weight above which a unit is excluded; none for never.
    pub(super) above: Option<f32>,
}

/// The keys that are excluded.
pub(super) struct Excluded {
    /// How many tokens of the prefix.
    prefix: usize,
    /// Which units, ascending.
    pub(super) units: Vec<usize>,
    /// Their tokens, ascending.
    tokens: Vec<Range<usize>>,
}

impl Excluded {
    /// For unit `index`, which gives each key `mean` of its weight.
    pub(super) fn new(
        trace: &Trace,
        units: &Units,
        mean: &Array1<f32>,
        index: usize,
        rule: &Rule,
    ) -> Self {
        let prefix = if rule.keep_prefix {
            0
        } else {
            trace.meta().prefix_tokens
        };
        let sums = units.sums(mean);
        let above = |u: &usize| rule.above.is_some_and(|limit| sums[*u] > limit);
        let excluded: Vec<usize> = (0..units.len())
            .filter(|u| *u != index && units.range(*u).start >= prefix)
            .filter(above)
            .collect();
        Self {
            prefix,
            tokens: excluded.iter().map(|&u| units.range(u)).collect(),
            units: excluded,
        }
    }

    /// The weight of a row that lies on these keys.
    pub(super) fn mass(&self, row: &Array1<f32>) -> f32 {
        let sum = |range: Range<usize>| {
            row.slice(s![range])
                .iter()
                .map(|&w| f64::from(w))
                .sum::<f64>()
        };
        (sum(0..self.prefix) + self.tokens.iter().cloned().map(sum).sum::<f64>()) as f32
    }

    /// What a row that sums to `sum` leaves to its head's learned sink.
    pub(super) fn learned(&self, trace: &Trace, id: HeadId, sum: f32) -> f32 {
        sink::learned(trace, id.layer, sum.into()) as f32
    }

    /// Whether this unit is excluded.
    pub(super) fn holds(&self, units: &Units, unit: usize) -> bool {
        units.range(unit).end <= self.prefix || self.units.binary_search(&unit).is_ok()
    }

    /// All ranges of keys that are excluded.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        std::iter::once(0..self.prefix)
            .chain(self.tokens.iter().cloned())
            .filter(|r| !r.is_empty())
    }
}
