//! Heads known by what they do on random tokens that come twice: previous-token, duplicate-token and induction heads
//! (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; Olsson et al. 2022, "In-context Learning
//! and Induction Heads").
//!
//! A sequence is a prefix, T random tokens, and the same T tokens again. On random tokens there is nothing to look at
//! but positions and repetition, so that a head's mean weight on a diagonal says what it does:
//!
//! | score | diagonal j − i | the head looks at |
//! | --- | --- | --- |
//! | previous token | −1 | the token before |
//! | duplicate token | −T | the same token, T before |
//! | induction | −(T − 1) | what followed the same token the last time |
//!
//! Each score is the mean over the whole diagonal, the first occurrences included, and over the sequences. A high
//! score says what a head does on such sequences, not that it does it in a text, or that the model uses it.

use lookback_model::{Hooks, Logits, Model, Prefix, TraceOptions};
use lookback_trace::{HeadId, Trace};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::random::SplitMix;

/// Sequences of random tokens that come twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    /// T, after how many tokens they come again.
    pub period: usize,
    /// Token ids, the prefix's first.
    pub sequences: Vec<Vec<u32>>,
}

/// What one head does on them: mean weights, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ProbeScores {
    /// The head.
    #[serde(flatten)]
    pub head: HeadId,
    /// Mean weight on what followed the same token before.
    pub induction: f64,
    /// Mean weight on the same token before.
    pub duplicate: f64,
    /// Mean weight on the token before.
    pub previous: f64,
    /// Mean weight on the first token, over all later rows.
    pub sink: f64,
}

impl Repeated {
    /// The sequences on which heads are compared: 8 of them, 50 tokens twice, behind the prefix declared for the model.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn standard(model: &Model) -> Result<Self, Error> {
        Self::random(model, &Prefix::Declared, (8, 50), 1)
    }

    /// `count` sequences of twice `period` tokens, drawn evenly from the vocabulary without its special tokens.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn random(
        model: &Model,
        prefix: &Prefix,
        (count, period): (usize, usize),
        seed: u64,
    ) -> Result<Self, Error> {
        let before = model.tokenizer().encode("", prefix)?.ids;
        let ordinary: Vec<u32> = (0..model.config().vocab as u32)
            .filter(|&id| model.tokenizer().is_special(id) == Some(false))
            .collect();
        if ordinary.is_empty() {
            return Err(Error::Numeric(
                "the vocabulary has no token that is not special, so there is nothing to draw"
                    .to_owned(),
            ));
        }
        let mut random = SplitMix::new(seed);
        let sequences = (0..count).map(|_| {
            let once: Vec<u32> = (0..period)
                .map(|_| ordinary[random.below(ordinary.len())])
                .collect();
            [before.as_slice(), &once, &once].concat()
        });
        Ok(Self {
            period,
            sequences: sequences.collect(),
        })
    }

    /// Reads the sequences and scores every head on them, in order; `done` hears of each sequence that is read.
    ///
    /// # Errors
    /// The model's.
    pub fn scores(
        &self,
        model: &Model,
        hooks: &dyn Hooks,
        done: &mut dyn FnMut(),
    ) -> Result<Vec<ProbeScores>, Error> {
        let mut sums: Vec<ProbeScores> = Vec::new();
        for ids in &self.sequences {
            let trace = trace_of(model, ids, hooks)?;
            let scores = on_trace(&trace, self.period)?;
            done();
            match sums.is_empty() {
                true => sums = scores,
                false => sums
                    .iter_mut()
                    .zip(&scores)
                    .for_each(|(sum, one)| sum.add(one)),
            }
        }
        let count = self.sequences.len().max(1) as f64;
        sums.iter_mut().for_each(|sum| sum.divide(count));
        Ok(sums)
    }
}

impl ProbeScores {
    fn add(&mut self, other: &Self) {
        self.induction += other.induction;
        self.duplicate += other.duplicate;
        self.previous += other.previous;
        self.sink += other.sink;
    }

    fn divide(&mut self, by: f64) {
        self.induction /= by;
        self.duplicate /= by;
        self.previous /= by;
        self.sink /= by;
    }
}

/// A trace of tokens that stand for no text.
pub(crate) fn trace_of(model: &Model, ids: &[u32], hooks: &dyn Hooks) -> Result<Trace, Error> {
    let encoding = lookback_model::Encoding {
        ids: ids.to_vec(),
        spans: vec![(0, 0); ids.len()],
        prefix_tokens: 0,
        prefix_was_in_text: false,
        suffix_tokens: 0,
        text: String::new(),
    };
    let options = TraceOptions {
        logits: Logits::None,
        ..TraceOptions::default()
    };
    Ok(model.trace(&encoding, &options, hooks)?.trace)
}

/// The scores of every head of one sequence whose tokens come again after `period`.
///
/// # Errors
/// [`Error::Trace`] where the trace's numbers are damaged.
pub fn on_trace(trace: &Trace, period: usize) -> Result<Vec<ProbeScores>, Error> {
    let n = trace.n();
    let mut scores = Vec::new();
    for layer in 0..trace.layer_count() {
        for head in 0..trace.head_count(layer) {
            let weights = trace.weights(layer, head, 0..n, 0..n)?;
            let diagonal = |back: usize| {
                let entries = (back..n).map(|i| f64::from(weights[[i, i - back]]));
                entries.sum::<f64>() / n.saturating_sub(back).max(1) as f64
            };
            let first = (1..n).map(|i| f64::from(weights[[i, 0]])).sum::<f64>();
            scores.push(ProbeScores {
                head: HeadId { layer, head },
                induction: diagonal(period.saturating_sub(1)),
                duplicate: diagonal(period),
                previous: diagonal(1),
                sink: first / (n - 1).max(1) as f64,
            });
        }
    }
    Ok(scores)
}
