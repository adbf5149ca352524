//! What each head gives the candidates, from the rows that are asked.

use std::ops::Range;

use lookback_model::{Encoding, Hooks, Logits, Model, Prefix, TraceOptions};
use lookback_trace::{HeadId, Trace};
use ndarray::{ArrayView1, s};
use serde::Serialize;

use super::question::{Question, tokens_of};
use crate::Error;

/// From where it is read whom a word stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// The word's own row: in a causal model it cannot see what follows the word.
    #[default]
    Word,
    /// The row of the text's last token, which has seen the whole text.
    Last,
    /// The row of the probe's last token, where the model is about to name someone.
    Probe,
}

/// What every head gives each candidate from one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Whose row it is.
    pub from: From,
    /// All heads, in order.
    pub heads: Vec<HeadReading>,
    /// The layers whose heads are read together: see [`Model::answering_layers`].
    pub answering: Range<usize>,
}

/// What one head gives each candidate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadReading {
    /// Which head.
    #[serde(flatten)]
    pub head: HeadId,
    /// Weight on each candidate, over all its tokens and places: \[candidates\].
    pub weights: Vec<f64>,
    /// The same with the sink set aside, weight / (1 − sink share); 0 where the sink took all.
    pub shares: Vec<f64>,
    /// Weight on the prefix and on a learned sink.
    pub sink_share: f64,
}

impl HeadReading {
    /// How much more weight `of` gets than the best of the others.
    #[must_use]
    pub fn margin(&self, of: usize) -> f64 {
        let others = self.weights.iter().enumerate().filter(|&(c, _)| c != of);
        let best = others.map(|(_, &w)| w).fold(f64::NEG_INFINITY, f64::max);
        self.weights[of] - best
    }

    /// The candidate that gets most; the first among equals.
    #[must_use]
    pub fn favourite(&self) -> usize {
        let order = (0..self.weights.len()).rev();
        order
            .max_by(|&a, &b| self.weights[a].total_cmp(&self.weights[b]))
            .unwrap_or(0)
    }
}

impl Reading {
    /// The mean over the heads of the answering layers, which are all layers of a language model: weights, and with the mean sink share set aside.
    #[must_use]
    pub fn pooled(&self) -> HeadReading {
        let answers = |h: &&HeadReading| self.answering.contains(&h.head.layer);
        let heads: Vec<&HeadReading> = self.heads.iter().filter(answers).collect();
        let n = heads.len().max(1) as f64;
        let candidates = heads.first().map_or(0, |h| h.weights.len());
        let sink_share = heads.iter().map(|h| h.sink_share).sum::<f64>() / n;
        let weights: Vec<f64> = (0..candidates)
            .map(|c| heads.iter().map(|h| h.weights[c]).sum::<f64>() / n)
            .collect();
        HeadReading::new(HeadId { layer: 0, head: 0 }, weights, sink_share)
    }
}

impl HeadReading {
    fn new(head: HeadId, weights: Vec<f64>, sink_share: f64) -> Self {
        let kept = 1.0 - sink_share;
        let share = |w: &f64| if kept > 0.0 { w / kept } else { 0.0 };
        Self {
            head,
            shares: weights.iter().map(share).collect(),
            weights,
            sink_share,
        }
    }
}

/// Reads a question's text (with its probe, where that is read from) once, and every head's weights from the rows
/// asked for.
///
/// # Errors
/// The model's and the trace's.
pub fn read(
    model: &Model,
    question: &Question,
    prefix: &Prefix,
    rows: &[From],
    hooks: &dyn Hooks,
) -> Result<Vec<Reading>, Error> {
    let text = match rows.contains(&From::Probe) {
        true => question.with_probe(),
        false => question.text.clone(),
    };
    let encoding = model.tokenizer().encode(&text, prefix)?;
    let options = TraceOptions {
        logits: Logits::None,
        ..TraceOptions::default()
    };
    let trace = model.trace(&encoding, &options, hooks)?.trace;
    rows.iter()
        .map(|&from| {
            let heads = of_trace(&trace, &encoding, question, from)?;
            let answering = model.answering_layers();
            Ok(Reading {
                from,
                heads,
                answering,
            })
        })
        .collect()
}

/// The rows of tokens that a reading averages.
pub(super) fn rows_of(encoding: &Encoding, question: &Question, from: From) -> Range<usize> {
    let last_of = |end: usize| {
        let within = encoding.spans.iter().rposition(|&(s, e)| e > s && s < end);
        let last = within.unwrap_or(encoding.ids.len() - 1);
        last..last + 1
    };
    match from {
        From::Word => tokens_of(encoding, question.word),
        From::Last => last_of(question.text.trim_end().len()),
        From::Probe => last_of(usize::MAX),
    }
}

fn of_trace(
    trace: &Trace,
    encoding: &Encoding,
    question: &Question,
    from: From,
) -> Result<Vec<HeadReading>, Error> {
    let rows = rows_of(encoding, question, from);
    let keys: Vec<Vec<_>> = question
        .candidates
        .iter()
        .map(|c| c.places.iter().map(|&p| tokens_of(encoding, p)).collect())
        .collect();
    let sum = |row: ArrayView1<f32>| row.iter().map(|&w| f64::from(w)).sum::<f64>();
    let mut heads = Vec::new();
    for layer in 0..trace.layer_count() {
        let learned_sink = trace.meta().layers[layer].sinks.is_some();
        for head in 0..trace.head_count(layer) {
            let row = trace.head(layer, head)?.mean_row(rows.clone())?;
            let weights = keys
                .iter()
                .map(|places| {
                    let on = places.iter().map(|keys| sum(row.slice(s![keys.clone()])));
                    on.sum()
                })
                .collect();
            let mut sink = sum(row.slice(s![..encoding.prefix_tokens]));
            if learned_sink {
                sink += (1.0 - sum(row.view())).max(0.0);
            }
            heads.push(HeadReading::new(HeadId { layer, head }, weights, sink));
        }
    }
    Ok(heads)
}
