//! What one word or token gives to others and receives from them, over any choice of heads.
//!
//! # What the numbers are
//! - The weight **given** to a unit (a word, or a token) is the softmax weight summed over the unit's tokens and
//!   averaged over the tokens of the unit in question. The weight **received** from a unit is what that unit gives
//!   to the one in question. Both are raw, and the mean over the chosen heads.
//! - **Excluded** are the keys that act as sinks: the prefix, a model's learned sinks, and, where asked for, every unit
//!   that the one in question gives more than a chosen weight (never itself). The same keys are excluded in what is
//!   received.
//! - The **hidden** weight is what lies on them. A **share** is a weight with those keys excluded:
//!   weight / (1 − hidden) ([`share`]).

mod excluded;
mod heads;
mod units;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use lookback_trace::{HeadId, Trace};
use ndarray::Array1;
use rayon::prelude::*;
use serde::Serialize;

use excluded::{Excluded, Rule};
use heads::Ranking;
pub use heads::{HeadAttention, UnitWeight};
pub use units::{Unit, Units};

use crate::{Error, default_head, head, sink};

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenAttentionOptions {
    /// Whether words or tokens are meant.
    pub unit: Unit,
    /// The heads whose mean is given; where empty, all. The ranked list always covers all.
    pub heads: Vec<HeadId>,
    /// Keeps the prefix, instead of excluding it.
    pub keep_prefix: bool,
    /// Excludes every other unit that is given more than this weight.
    pub above: Option<f32>,
    /// Ranks the heads by their weight on this unit, instead of by their largest weight on any other unit.
    pub target: Option<usize>,
    /// How many units are listed for each head; three where nothing is said.
    pub listed: Option<usize>,
}

/// What one unit gives and receives.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenAttention {
    /// The unit in question.
    pub index: usize,
    /// How many heads the mean is over.
    pub heads_averaged: usize,
    /// The weight given to each unit, itself included: \[units\]. Excluded units have theirs here too.
    pub given: Vec<f32>,
    /// The weight given to what is excluded.
    pub hidden: f32,
    /// The part of it that learned sinks take.
    pub learned_sink: f32,
    /// The weight given to tokens that belong to no unit and are not excluded, such as white space.
    pub other: f32,
    /// The units that are excluded, beside the prefix, ascending.
    pub excluded: Vec<usize>,
    /// The weight received from each unit: \[units\].
    pub received: Vec<f32>,
    /// For each unit, the weight that it gives to what is excluded: \[units\].
    pub received_hidden: Vec<f32>,
    /// All heads, the one that looks most first.
    pub ranked: Vec<HeadAttention>,
    /// The head that is shown where none is chosen ([`default_head`](crate::default_head())); none for a token.
    pub default_head: Option<HeadId>,
}

/// A weight with the hidden ones excluded: weight / (1 − hidden); 0 where they took all.
///
/// ```
/// assert_eq!(lookback_heads::token_attention::share(0.1, 0.75), 0.4);
/// assert_eq!(lookback_heads::token_attention::share(0.0, 1.0), 0.0);
/// ```
#[must_use]
pub fn share(weight: f32, hidden: f32) -> f32 {
    sink::share(weight.into(), (1.0 - hidden).into()) as f32
}

impl TokenAttention {
    /// Asks every head of `trace` about unit `index`. Time grows with heads × N × d_k, memory with heads × N.
    ///
    /// # Errors
    /// [`Error::NoSuchUnit`], [`Error::NoSuchHead`], [`Error::Cancelled`] once `cancel` is set, and
    /// [`Error::Trace`] where the trace's numbers are damaged.
    ///
    /// ```
    /// use lookback_heads::token_attention::{TokenAttention, TokenAttentionOptions};
    /// let trace = lookback_heads::example::Example::default().trace();
    /// let answer = TokenAttention::new(&trace, 9, &TokenAttentionOptions::default(), &Default::default())?;
    /// let given: f32 = answer.given.iter().sum();
    /// assert!((given + answer.hidden + answer.other - 1.0).abs() < 1e-5);
    /// # Ok::<(), lookback_heads::Error>(())
    /// ```
    pub fn new(
        trace: &Trace,
        index: usize,
        options: &TokenAttentionOptions,
        cancel: &AtomicBool,
    ) -> Result<Self, Error> {
        trace.require_self_attention("What a word or token gives and receives")?;
        let units = Units::new(trace, options.unit);
        let tokens = units.get(index)?;
        if let Some(target) = options.target {
            units.get(target)?;
        }
        let all: Vec<HeadId> = trace.heads().collect();
        let chosen = chosen(trace, &options.heads, &all)?;
        let rows: Vec<Array1<f32>> = all
            .par_iter()
            .map(|id| {
                go_on(cancel)?;
                Ok(trace.head(id.layer, id.head)?.mean_row(tokens.clone())?)
            })
            .collect::<Result<_, Error>>()?;
        let mean = mean_of(
            all.iter()
                .zip(&rows)
                .filter(|(id, _)| chosen.binary_search(id).is_ok())
                .map(|(_, row)| row),
            trace.n(),
        );
        let rule = Rule {
            keep_prefix: options.keep_prefix,
            above: options.above,
        };
        let excluded = Excluded::new(trace, &units, &mean, index, &rule);
        let received = received(trace, &chosen, &tokens, &excluded, cancel)?;
        let learned_sink = mean_of_scalars(chosen.iter().map(|id| {
            let at = all.binary_search(id).unwrap_or_default();
            excluded.learned(trace, *id, rows[at].sum())
        }));
        let given: Vec<f32> = units.sums(&mean);
        let hidden = excluded.mass(&mean) + learned_sink;
        let in_units: f32 = given
            .iter()
            .enumerate()
            .filter(|(u, _)| !excluded.holds(&units, *u))
            .map(|(_, w)| w)
            .sum();
        let ranking = Ranking {
            target: options.target,
            listed: options.listed,
        };
        let mut ranked: Vec<HeadAttention> = all
            .iter()
            .zip(&rows)
            .map(|(&id, row)| {
                HeadAttention::new(trace, &units, &excluded, (index, id), row, &ranking)
            })
            .collect();
        heads::rank(&mut ranked);
        let default_head = (options.unit == Unit::Word)
            .then(|| {
                default_head::of_rows(trace, &(index..index + 1), all.iter().copied().zip(&rows))
            })
            .map(|found| found.head);
        Ok(Self {
            default_head,
            index,
            heads_averaged: chosen.len(),
            other: (mean.sum() - excluded.mass(&mean) - in_units).max(0.0),
            hidden,
            learned_sink,
            excluded: excluded.units.clone(),
            received: units.means(&received.0, index),
            received_hidden: units.means(&received.1, index),
            given,
            ranked,
        })
    }
}

/// For each query, its weight on `tokens` and its weight on what is excluded, both the mean over `chosen`: \[N\] each.
fn received(
    trace: &Trace,
    chosen: &[HeadId],
    tokens: &Range<usize>,
    excluded: &Excluded,
    cancel: &AtomicBool,
) -> Result<(Array1<f32>, Array1<f32>), Error> {
    let n = trace.n();
    let each: Vec<(Array1<f32>, Array1<f32>)> = chosen
        .par_iter()
        .map(|id| {
            go_on(cancel)?;
            let head = trace.head(id.layer, id.head)?;
            let column = |range: Range<usize>| -> Result<Array1<f32>, Error> {
                Ok(head.weights(0..n, range)?.sum_axis(ndarray::Axis(1)))
            };
            let mut hidden = Array1::zeros(n);
            for range in excluded.ranges() {
                hidden += &column(range)?;
            }
            Ok((column(tokens.clone())?, hidden))
        })
        .collect::<Result<_, Error>>()?;
    Ok((
        mean_of(each.iter().map(|(on, _)| on), n),
        mean_of(each.iter().map(|(_, hidden)| hidden), n),
    ))
}

/// The mean of some rows, summed in order in f64: \[N\].
fn mean_of<'a>(rows: impl Iterator<Item = &'a Array1<f32>>, n: usize) -> Array1<f32> {
    let mut total = Array1::<f64>::zeros(n);
    let mut count = 0_usize;
    for row in rows {
        total.zip_mut_with(row, |sum, &w| *sum += f64::from(w));
        count += 1;
    }
    total.mapv(|sum| (sum / count.max(1) as f64) as f32)
}

fn mean_of_scalars(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let count = values.len().max(1) as f64;
    (values.map(f64::from).sum::<f64>() / count) as f32
}

fn go_on(cancel: &AtomicBool) -> Result<(), Error> {
    if cancel.load(Ordering::Relaxed) {
        return Err(Error::Cancelled);
    }
    Ok(())
}

/// The heads asked for, ascending, each once; all where none was.
fn chosen(trace: &Trace, asked: &[HeadId], all: &[HeadId]) -> Result<Vec<HeadId>, Error> {
    if asked.is_empty() {
        return Ok(all.to_vec());
    }
    let mut chosen = asked.to_vec();
    chosen.sort_unstable();
    chosen.dedup();
    for &id in &chosen {
        head::check_in(id, trace)?;
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests;
