//! What one word looks back at.

use std::ops::Range;

use lookback_trace::{HeadId, Trace, WordWeights};
use serde::{Serialize, Serializer};

use super::report::Look;
use crate::select::{label_of, tokens_of};
use crate::{Candidate, Error, sink};

/// What one word of interest looks back at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Focus {
    /// The word, as an index into the trace's words; its first where it is several in a row.
    pub word: usize,
    /// All of its words, `[start, end)`; left out of the JSON where it is one.
    #[serde(serialize_with = "as_pair", skip_serializing_if = "is_one")]
    pub words: Range<usize>,
    /// Its name: `he`, or `he#2` where the word occurs more than once.
    pub label: String,
    /// All heads together.
    pub all_heads: AllHeads,
    /// The candidates, in the text's order, each with the heads that look at it most.
    pub candidates: Vec<CandidateHeads>,
    /// Head by head, in order: all heads, or those that were asked for.
    pub heads: Vec<HeadWeights>,
}

/// One head's weights, word by word. They are raw: with `sink_share` and `other_share` they sum to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadWeights {
    /// Which head.
    #[serde(flatten)]
    pub head: HeadId,
    /// Weight on the prefix and on a learned sink.
    pub sink_share: f32,
    /// Weight on tokens that belong to no word, such as white space.
    pub other_share: f32,
    /// Weight on each word that the word of interest can see, from the first; where the mask is causal, the last is the
    /// word itself.
    #[serde(serialize_with = "as_pairs")]
    pub word_weights: Vec<f32>,
}

/// The mean over all heads of all layers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AllHeads {
    /// How many heads that is.
    pub heads: usize,
    /// Mean weight on the prefix and on a learned sink.
    pub sink_share: f32,
    /// Mean weight on tokens that belong to no word.
    pub other_share: f32,
    /// The words, the most looked at first; equals in the text's order.
    pub ranked: Vec<RankedWord>,
}

/// What all heads together give one word.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RankedWord {
    /// The word, as an index into the trace's words.
    pub word: usize,
    /// The mean of the heads' weights on it, the sink included.
    pub weight: f32,
    /// The same with the sink excluded: weight / (1 − sink share); 0 where the sink took all.
    pub share: f32,
}

/// A candidate with the heads that look at it most.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CandidateHeads {
    /// The candidate.
    #[serde(flatten)]
    pub candidate: Candidate,
    /// The mean of all heads' weights on it.
    pub weight: f32,
    /// The same with the sink excluded.
    pub share: f32,
    /// The heads that give it most weight (the sink included), the greatest first.
    pub heads: Vec<CandidateHead>,
}

/// One head, as far as the candidates go.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CandidateHead {
    /// Which head.
    #[serde(flatten)]
    pub head: HeadId,
    /// Its weight on the candidate that it is listed for.
    pub weight: f32,
    /// Its weight on each candidate, in the order of [`Focus::candidates`]. Not part of the JSON, which would grow
    /// with the square of the candidates and holds every head's weight on every word anyway.
    #[serde(skip)]
    pub weights: Vec<f32>,
    /// Its weight on the prefix and on a learned sink.
    pub sink_share: f32,
}

impl Focus {
    /// Answers for some words of interest, given by their places, in one walk over each layer.
    pub(super) fn of_words(look: &Look<'_>, places: &[usize]) -> Result<Vec<Self>, Error> {
        let trace = look.trace();
        let mut foci: Vec<Gathering<'_>> =
            places.iter().map(|&at| Gathering::new(look, at)).collect();
        let words: Vec<usize> = foci.iter().flat_map(|f| f.words.clone()).collect();
        for &layer in trace.layer_ids() {
            let heads = trace.word_weights_of_heads(layer, &words)?;
            for (&head, of_words) in trace.head_ids(layer).iter().zip(heads) {
                let id = HeadId { layer, head };
                let mut of_words = of_words.into_iter();
                for focus in &mut foci {
                    let own = of_words.by_ref().take(focus.words.len());
                    let weights = mean(trace, &focus.words, own);
                    let weights = HeadWeights::new(trace, id, weights, focus.sees);
                    focus.add(look, weights);
                }
            }
        }
        Ok(foci.into_iter().map(|focus| focus.finish(look)).collect())
    }
}

/// What several words in a row give together: the mean over their tokens.
fn mean(
    trace: &Trace,
    at: &Range<usize>,
    mut of_words: impl Iterator<Item = WordWeights>,
) -> WordWeights {
    let empty = || WordWeights {
        words: vec![0.0; trace.words().len()],
        prefix: 0.0,
        other: 0.0,
    };
    if at.len() == 1 {
        return of_words.next().unwrap_or_else(empty);
    }
    let all: usize = at
        .clone()
        .map(|w| tokens_of(trace.words(), &(w..w + 1)).len())
        .sum();
    let mut mean = empty();
    for (word, weights) in at.clone().zip(of_words) {
        let part = tokens_of(trace.words(), &(word..word + 1)).len() as f32 / all.max(1) as f32;
        mean.prefix += part * weights.prefix;
        mean.other += part * weights.other;
        for (sum, weight) in mean.words.iter_mut().zip(weights.words) {
            *sum += part * weight;
        }
    }
    mean
}

/// What is known of one word of interest while heads are still being asked.
struct Gathering<'l> {
    words: Range<usize>,
    candidates: &'l [Candidate],
    /// How many words it sees.
    sees: usize,
    sum: Sum,
    /// All heads, in order.
    on_candidates: Vec<CandidateHead>,
    /// Those that are reported one by one.
    heads: Vec<HeadWeights>,
}

impl<'l> Gathering<'l> {
    fn new(look: &'l Look<'_>, at: usize) -> Self {
        let sees = look.sees(at);
        Self {
            words: look.interest()[at].clone(),
            candidates: look.candidates(at),
            sees,
            sum: Sum::new(sees),
            on_candidates: Vec::with_capacity(look.head_count()),
            heads: Vec::with_capacity(look.heads().len()),
        }
    }

    fn add(&mut self, look: &Look<'_>, weights: HeadWeights) {
        self.sum.add(&weights);
        self.on_candidates
            .push(CandidateHead::new(&weights, self.candidates));
        if look.heads().binary_search(&weights.head).is_ok() {
            self.heads.push(weights);
        }
    }

    fn finish(self, look: &Look<'_>) -> Focus {
        let all_heads = self.sum.mean();
        let candidates = self.candidates.iter().enumerate();
        let candidates = candidates
            .map(|(index, candidate)| {
                let best = best(&self.on_candidates, index, look.heads_per_candidate());
                CandidateHeads::new(candidate, &all_heads, best)
            })
            .collect();
        Focus {
            word: self.words.start,
            label: label_of(&look.trace().meta().text, look.trace().words(), &self.words),
            words: self.words,
            all_heads,
            candidates,
            heads: self.heads,
        }
    }
}

impl HeadWeights {
    fn new(trace: &Trace, head: HeadId, mut weights: WordWeights, sees: usize) -> Self {
        weights.words.truncate(sees);
        let on_keys = weights.prefix + weights.other + weights.words.iter().sum::<f32>();
        let learned = sink::learned(trace, head.layer, on_keys.into());
        Self {
            head,
            sink_share: weights.prefix + learned as f32,
            other_share: weights.other,
            word_weights: weights.words,
        }
    }

    /// The head's share of each word with the sink excluded: weight / (1 − sink share); 0 where the sink took all.
    #[must_use]
    pub fn shares(&self) -> Vec<f32> {
        let kept = f64::from(self.other_share)
            + self.word_weights.iter().map(|&w| f64::from(w)).sum::<f64>();
        self.word_weights
            .iter()
            .map(|&w| sink::share(w.into(), kept) as f32)
            .collect()
    }
}

impl CandidateHead {
    fn new(weights: &HeadWeights, candidates: &[Candidate]) -> Self {
        let on = |c: &Candidate| c.words.iter().map(|&w| weights.word_weights[w]).sum();
        Self {
            head: weights.head,
            weight: 0.0,
            weights: candidates.iter().map(on).collect(),
            sink_share: weights.sink_share,
        }
    }
}

/// The `count` heads that give candidate `index` most; equals in the heads' order.
fn best(heads: &[CandidateHead], index: usize, count: usize) -> Vec<CandidateHead> {
    let mut order: Vec<&CandidateHead> = heads.iter().collect();
    order.sort_by(|a, b| b.weights[index].total_cmp(&a.weights[index]));
    let listed = |head: &CandidateHead| CandidateHead {
        weight: head.weights[index],
        ..head.clone()
    };
    order.into_iter().take(count).map(listed).collect()
}

impl CandidateHeads {
    fn new(candidate: &Candidate, all: &AllHeads, heads: Vec<CandidateHead>) -> Self {
        let named = |r: &&RankedWord| candidate.words.contains(&r.word);
        Self {
            candidate: candidate.clone(),
            weight: all.ranked.iter().filter(named).map(|r| r.weight).sum(),
            share: all.ranked.iter().filter(named).map(|r| r.share).sum(),
            heads,
        }
    }
}

fn is_one(words: &Range<usize>) -> bool {
    words.len() == 1
}

/// `[start, end]`.
fn as_pair<S: Serializer>(range: &Range<usize>, serializer: S) -> Result<S::Ok, S::Error> {
    (range.start, range.end).serialize(serializer)
}

/// `[[word, weight], …]`.
fn as_pairs<S: Serializer>(weights: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(weights.iter().enumerate())
}

/// Running sums over heads, in f64: [words seen].
struct Sum {
    heads: usize,
    sink: f64,
    other: f64,
    words: Vec<f64>,
}

impl Sum {
    fn new(sees: usize) -> Self {
        Self {
            heads: 0,
            sink: 0.0,
            other: 0.0,
            words: vec![0.0; sees],
        }
    }

    fn add(&mut self, head: &HeadWeights) {
        self.heads += 1;
        self.sink += f64::from(head.sink_share);
        self.other += f64::from(head.other_share);
        for (sum, &weight) in self.words.iter_mut().zip(&head.word_weights) {
            *sum += f64::from(weight);
        }
    }

    fn mean(self) -> AllHeads {
        let mean = |sum: f64| (sum / self.heads as f64) as f32;
        let kept = self.other + self.words.iter().sum::<f64>();
        let mut ranked: Vec<RankedWord> = self
            .words
            .iter()
            .enumerate()
            .map(|(word, &sum)| RankedWord {
                word,
                weight: mean(sum),
                share: sink::share(sum, kept) as f32,
            })
            .collect();
        ranked.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        AllHeads {
            heads: self.heads,
            sink_share: mean(self.sink),
            other_share: mean(self.other),
            ranked,
        }
    }
}
