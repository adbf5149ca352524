//! What each head gives the candidates, from the rows that are asked for.

use std::ops::Range;

use lookback_model::{Encoding, Hooks, Logits, Model, Prefix, TraceOptions};
use lookback_trace::{HeadId, Trace};
use ndarray::{Array2, ArrayView1, s};
use serde::Serialize;

use super::question::{Named, Question, tokens_of};
use crate::similarity::{Similarity, SimilarityWeights};
use crate::{Error, sink, visible};

/// Which row of weights is read.
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
pub struct RowWeights {
    /// Which row.
    pub from: From,
    /// All heads, in order.
    pub heads: Vec<CandidateWeights>,
    /// The layers whose heads answer: see [`Model::answering_layers`].
    pub answering: Range<usize>,
    /// Whether the row sees tokens behind its own, as no causal mask lets it.
    pub sees_after: bool,
}

/// What one head gives each candidate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CandidateWeights {
    /// Which head.
    #[serde(flatten)]
    pub head: HeadId,
    /// Weight on each candidate, over all its tokens and places: \[candidates\].
    pub weights: Vec<f64>,
    /// The same with the sink excluded, weight / (1 − sink share); 0 where the sink took all.
    pub shares: Vec<f64>,
    /// Weight on the prefix and on a learned sink.
    pub sink_share: f64,
}

/// The mean of some heads' weights on each candidate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeanWeights {
    /// How many heads.
    pub heads: usize,
    /// Mean weight on each candidate: \[candidates\].
    pub weights: Vec<f64>,
    /// The same with the mean sink share excluded.
    pub shares: Vec<f64>,
    /// Mean weight on the prefix and on a learned sink.
    pub sink_share: f64,
}

impl CandidateWeights {
    fn new(head: HeadId, weights: Vec<f64>, sink_share: f64) -> Self {
        Self {
            head,
            shares: shares(&weights, sink_share),
            weights,
            sink_share,
        }
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

/// How much more weight candidate `of` gets than the best of the others.
#[must_use]
pub fn lead(weights: &[f64], of: usize) -> f64 {
    let others = weights.iter().enumerate().filter(|&(c, _)| c != of);
    let best = others.map(|(_, &w)| w).fold(f64::NEG_INFINITY, f64::max);
    weights[of] - best
}

/// Weights with the sink excluded.
fn shares(weights: &[f64], sink_share: f64) -> Vec<f64> {
    let share = |&weight: &f64| sink::share(weight, 1.0 - sink_share);
    weights.iter().map(share).collect()
}

impl RowWeights {
    /// The mean over all heads.
    #[must_use]
    pub fn of_all_heads(&self) -> MeanWeights {
        mean(self.heads.iter())
    }

    /// The mean over the heads of the answering layers: of a language model all, of the `pronoun` model the pointer's.
    #[must_use]
    pub fn of_answering_heads(&self) -> MeanWeights {
        let heads = self.heads.iter();
        mean(heads.filter(|h| self.answering.contains(&h.head.layer)))
    }
}

fn mean<'a>(heads: impl Iterator<Item = &'a CandidateWeights>) -> MeanWeights {
    let heads: Vec<&CandidateWeights> = heads.collect();
    let n = heads.len().max(1) as f64;
    let candidates = heads.first().map_or(0, |h| h.weights.len());
    let sink_share = heads.iter().map(|h| h.sink_share).sum::<f64>() / n;
    let weights: Vec<f64> = (0..candidates)
        .map(|c| heads.iter().map(|h| h.weights[c]).sum::<f64>() / n)
        .collect();
    MeanWeights {
        heads: heads.len(),
        shares: shares(&weights, sink_share),
        weights,
        sink_share,
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
) -> Result<Vec<RowWeights>, Error> {
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
            Ok(RowWeights {
                from,
                heads,
                answering,
                sees_after: sees_after(&trace, rows_of(&encoding, question, from).end),
            })
        })
        .collect()
}

/// Whether the row before `end` sees a key from there on in any layer.
fn sees_after(trace: &Trace, end: usize) -> bool {
    let layers = trace.layer_ids();
    layers
        .iter()
        .any(|&layer| visible::keys(trace, layer, end.max(1) - 1).end > end)
}

/// The text of the tokens of a prefix.
pub(super) fn prefix_text(model: &Model, prefix: &Prefix) -> Result<String, Error> {
    let encoding = model.tokenizer().encode("", prefix)?;
    Ok(model.tokenizer().decode(&encoding.ids, false))
}

/// The rows of tokens whose mean is read.
pub(super) fn rows_of(encoding: &Encoding, question: &Question, from: From) -> Range<usize> {
    let last_of = |end: usize| {
        let in_text = encoding.spans.iter().rposition(|&(s, e)| e > s && s < end);
        let last = in_text.unwrap_or(encoding.ids.len() - 1);
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
) -> Result<Vec<CandidateWeights>, Error> {
    let rows = rows_of(encoding, question, from);
    let keys: Vec<Vec<_>> = question
        .candidates
        .iter()
        .map(|c| c.places.iter().map(|&p| tokens_of(encoding, p)).collect())
        .collect();
    let sum = |row: ArrayView1<f32>| row.iter().map(|&w| f64::from(w)).sum::<f64>();
    let mut heads = Vec::new();
    for id in trace.heads() {
        let row = trace.head(id.layer, id.head)?.mean_row(rows.clone())?;
        let weights = keys
            .iter()
            .map(|places| {
                let on = places.iter().map(|keys| sum(row.slice(s![keys.clone()])));
                on.sum()
            })
            .collect();
        let on_prefix = sum(row.slice(s![..encoding.prefix_tokens]));
        let on_sink = on_prefix + sink::learned(trace, id.layer, sum(row.view()));
        heads.push(CandidateWeights::new(id, weights, on_sink));
    }
    Ok(heads)
}

/// What each candidate gets by similarity of the raw embeddings alone, summed over its tokens and averaged over the word's.
///
/// # Errors
/// The model's.
pub fn embedding_similarity(
    model: &Model,
    question: &Question,
    prefix: &Prefix,
) -> Result<Similarity, Error> {
    let encoding = model.tokenizer().encode(&question.text, prefix)?;
    let x = model.embeddings(&encoding.ids)?.mapv(f64::from);
    let weights = SimilarityWeights::new(x.view(), rows_of(&encoding, question, From::Word))?;
    let on = |weights: &Array2<f64>| -> Vec<f64> {
        let on = |named: &Named| -> f64 {
            let keys = named
                .places
                .iter()
                .map(|&place| tokens_of(&encoding, place));
            keys.map(|keys| weights.slice(s![.., keys]).sum()).sum()
        };
        let rows = weights.nrows().max(1) as f64;
        question
            .candidates
            .iter()
            .map(|named| on(named) / rows)
            .collect()
    };
    Ok(Similarity {
        similarity: on(&weights.similarity),
        scaled: on(&weights.scaled),
        scaled_with_self: on(&weights.scaled_with_self),
    })
}
