//! Words or tokens, as ranges of tokens.

use std::ops::Range;

use lookback_trace::Trace;
use ndarray::{Array1, s};
use serde::{Deserialize, Serialize};

use crate::Error;

/// What a text is divided into.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// The trace's words: a word's weight is the sum over its tokens.
    #[default]
    Word,
    /// Its tokens, the prefix's first.
    Token,
}

/// All units of a trace.
pub struct Units {
    unit: Unit,
    ranges: Vec<Range<usize>>,
}

impl Units {
    /// The words or tokens of `trace`.
    #[must_use]
    pub fn new(trace: &Trace, unit: Unit) -> Self {
        let ranges = match unit {
            Unit::Word => trace
                .words()
                .iter()
                .map(|word| word.tokens.clone())
                .collect(),
            Unit::Token => (0..trace.n()).map(|t| t..t + 1).collect(),
        };
        Self { unit, ranges }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The tokens of one.
    pub(super) fn get(&self, index: usize) -> Result<Range<usize>, Error> {
        self.ranges.get(index).cloned().ok_or(Error::NoSuchUnit {
            unit: match self.unit {
                Unit::Word => "word",
                Unit::Token => "token",
            },
            index,
            count: self.len(),
        })
    }

    /// The tokens of one that exists.
    pub(super) fn range(&self, index: usize) -> Range<usize> {
        self.ranges[index].clone()
    }

    /// A row of weights, \[N\], summed over each unit's tokens: \[units\].
    pub(super) fn sums(&self, row: &Array1<f32>) -> Vec<f32> {
        let sum = |range: &Range<usize>| {
            row.slice(s![range.clone()])
                .iter()
                .map(|&w| f64::from(w))
                .sum::<f64>()
        };
        self.ranges.iter().map(|range| sum(range) as f32).collect()
    }

    /// A value for each query, \[N\], averaged over each unit's tokens: \[units\]; 0 for the unit `except`.
    pub(super) fn means(&self, values: &Array1<f32>, except: usize) -> Vec<f32> {
        let mut means = self.sums(values);
        for (mean, range) in means.iter_mut().zip(&self.ranges) {
            *mean /= range.len() as f32;
        }
        means[except] = 0.0;
        means
    }
}
