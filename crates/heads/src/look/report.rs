//! What is asked of a trace.

use std::ops::Range;

use lookback_trace::{HeadId, Mask, Scoring, Trace};
use serde::Serialize;

use super::{Foci, Focus};
use crate::candidates::{self, Candidate};
use crate::{Error, WordName, interest, label};

/// What a [`Look`] asks.
#[derive(Debug, Clone, PartialEq)]
pub struct LookOptions {
    /// The words of interest; where empty, the pronouns, else the last word.
    pub words: Vec<WordName>,
    /// The candidates; where empty, the capitalised words before each word of interest.
    pub candidates: Vec<WordName>,
    /// The heads that are reported one by one; where empty, all. What all heads do together always covers all.
    pub heads: Vec<HeadId>,
    /// How many heads are named for each candidate.
    pub heads_per_candidate: usize,
    /// Texts of the prefix tokens, for display; a trace knows only their ids.
    pub prefix: Vec<String>,
}

impl Default for LookOptions {
    fn default() -> Self {
        Self {
            words: Vec::new(),
            candidates: Vec::new(),
            heads: Vec::new(),
            heads_per_candidate: 5,
            prefix: Vec::new(),
        }
    }
}

/// One token of the text, or of the prefix before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenInfo {
    /// Its number in the vocabulary.
    pub id: u32,
    /// What it stands for: its part of the text (whole characters: tokens that share one character all carry it),
    /// or, in the prefix, the token's own text (`[id]` where the reader of the trace did not know it).
    pub text: String,
    /// `[start, end)` in UTF-8 bytes of the text; empty in the prefix.
    pub span: (usize, usize),
    /// Whether it stands before the text.
    pub prefix: bool,
}

/// What takes the weight that no word wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Sink {
    /// The tokens before the text. Their weight is set aside and reported as the sink share.
    Prefix {
        /// Their texts, joined.
        text: String,
    },
    /// Nothing stands before the text, so its first word acts as the sink, and nothing is set aside: weight on that
    /// word says little.
    FirstWord {
        /// That word, as an index into the words.
        word: usize,
    },
}

/// What the words of interest look back at.
///
/// ```
/// use lookback_heads::{Look, LookOptions};
/// let trace = lookback_heads::example::Example::default().trace();
/// let look = Look::new(&trace, &LookOptions::default())?;
/// assert_eq!(look.labels(), ["he"]);
/// let focus = look.focus(0)?;
/// // Everything that a row of weights holds is accounted for.
/// for head in &focus.heads {
///     let words: f32 = head.word_weights.iter().sum();
///     assert!((head.sink_share + words + head.other_share - 1.0).abs() < 1e-5);
/// }
/// assert_eq!(focus.candidates[0].candidate.text, "Vatsal");
/// # Ok::<(), lookback_heads::Error>(())
/// ```
#[derive(Debug)]
pub struct Look<'t> {
    trace: &'t Trace,
    tokens: Vec<TokenInfo>,
    interest: Vec<usize>,
    candidates: Vec<Vec<Candidate>>,
    heads: Vec<HeadId>,
    heads_per_candidate: usize,
}

impl<'t> Look<'t> {
    /// Settles which words, candidates and heads are meant.
    ///
    /// # Errors
    /// [`Error::NoWords`], those of [`WordName::find_one`], [`Error::CandidateNotBefore`], [`Error::NoSuchHead`].
    pub fn new(trace: &'t Trace, options: &LookOptions) -> Result<Self, Error> {
        let (text, words) = (&trace.meta().text, trace.words());
        let interest = interest(text, words, &options.words)?;
        let look = Self {
            trace,
            tokens: tokens(trace, &options.prefix),
            candidates: candidates_of(trace, &interest, &options.candidates)?,
            interest,
            heads: heads_of(trace, &options.heads)?,
            heads_per_candidate: options.heads_per_candidate,
        };
        look.refuse_unseen_candidates(&options.candidates)?;
        Ok(look)
    }

    /// The trace that is asked.
    #[must_use]
    pub fn trace(&self) -> &'t Trace {
        self.trace
    }

    /// Every token, the prefix's first.
    #[must_use]
    pub fn tokens(&self) -> &[TokenInfo] {
        &self.tokens
    }

    /// The words of interest, as indices into the trace's words.
    #[must_use]
    pub fn interest(&self) -> &[usize] {
        &self.interest
    }

    /// The words of interest by name: `he`, or `he#2` where the word occurs more than once.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        self.interest
            .iter()
            .map(|&w| label(self.trace.words(), w))
            .collect()
    }

    /// The words that name a candidate of any word of interest, as indices into the trace's words, in order.
    #[must_use]
    pub fn candidate_words(&self) -> Vec<usize> {
        let all = self.candidates.iter().flatten();
        let mut words: Vec<usize> = all.flat_map(|c| c.words.iter().copied()).collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    /// Where the weight goes that no word wants.
    #[must_use]
    pub fn sink(&self) -> Sink {
        let prefix = &self.tokens[..self.trace.meta().prefix_tokens];
        if prefix.is_empty() {
            return Sink::FirstWord { word: 0 };
        }
        Sink::Prefix {
            text: prefix.iter().map(|t| t.text.as_str()).collect(),
        }
    }

    /// How many heads all layers have together.
    #[must_use]
    pub fn head_count(&self) -> usize {
        (0..self.trace.layer_count())
            .map(|l| self.trace.head_count(l))
            .sum()
    }

    /// The answer for one word of interest, by its place in [`Look::interest`].
    ///
    /// Time grows with heads × N × d_k; memory with heads × words.
    ///
    /// # Errors
    /// [`Error::Trace`] where the trace's numbers turn out to be damaged.
    ///
    /// # Panics
    /// Where there is no such word of interest.
    pub fn focus(&self, index: usize) -> Result<Focus, Error> {
        let mut foci = Focus::of_words(self, &[index])?;
        Ok(foci.remove(0))
    }

    /// The answers for some words of interest, by their places, in order: each the same as [`focus`](Self::focus) gives.
    ///
    /// They are computed some at a time, so that a layer's keys are packed once for many words, and the answers of all
    /// words need not be in memory together.
    ///
    /// # Errors
    /// As [`focus`](Self::focus).
    ///
    /// # Panics
    /// Where there are no such words of interest.
    pub fn foci(&self, places: Range<usize>) -> Foci<'_, 't> {
        Foci::new(self, places)
    }

    /// The heads that are reported one by one, in order.
    pub(super) fn heads(&self) -> &[HeadId] {
        &self.heads
    }

    /// The candidates of one word of interest.
    pub(super) fn candidates(&self, index: usize) -> &[Candidate] {
        &self.candidates[index]
    }

    pub(super) fn heads_per_candidate(&self) -> usize {
        self.heads_per_candidate
    }

    /// How many words, from the first, word `word` can see: those after it are hidden where every layer's mask is
    /// causal.
    pub(super) fn sees(&self, word: usize) -> usize {
        let open = |layer: &Scoring<'static>| layer.mask == Mask::None;
        if self.trace.meta().layers.iter().any(open) {
            self.trace.words().len()
        } else {
            word + 1
        }
    }

    fn refuse_unseen_candidates(&self, names: &[WordName]) -> Result<(), Error> {
        for name in names {
            let seen = |c: &Candidate| c.text == name.to_string();
            if !self.candidates.iter().flatten().any(seen) {
                return Err(Error::CandidateNotBefore {
                    candidate: name.to_string(),
                    interest: self.labels(),
                });
            }
        }
        Ok(())
    }
}

/// The candidates of each word of interest.
fn candidates_of(
    trace: &Trace,
    interest: &[usize],
    names: &[WordName],
) -> Result<Vec<Vec<Candidate>>, Error> {
    let words = trace.words();
    interest
        .iter()
        .map(|&word| match names {
            [] => Ok(candidates::candidates(words, word)),
            names => candidates::named(&trace.meta().text, words, word, names),
        })
        .collect()
}

/// The heads asked for, or all.
fn heads_of(trace: &Trace, asked: &[HeadId]) -> Result<Vec<HeadId>, Error> {
    let layers = trace.layer_count();
    if asked.is_empty() {
        let all = (0..layers)
            .flat_map(|layer| (0..trace.head_count(layer)).map(move |head| HeadId { layer, head }));
        return Ok(all.collect());
    }
    let mut heads = asked.to_vec();
    for &head in &heads {
        crate::head::check_in(head, trace)?;
    }
    heads.sort_unstable();
    heads.dedup();
    Ok(heads)
}

/// The tokens with what they stand for.
fn tokens(trace: &Trace, prefix_texts: &[String]) -> Vec<TokenInfo> {
    let meta = trace.meta();
    let text_of = |index: usize, (start, end): (usize, usize)| {
        if index < meta.prefix_tokens {
            let unknown = || format!("[{}]", meta.tokens[index]);
            return prefix_texts.get(index).cloned().unwrap_or_else(unknown);
        }
        meta.text.get(start..end).unwrap_or_default().to_owned()
    };
    meta.tokens
        .iter()
        .zip(&meta.spans)
        .enumerate()
        .map(|(index, (&id, &span))| TokenInfo {
            id,
            text: text_of(index, span),
            span,
            prefix: index < meta.prefix_tokens,
        })
        .collect()
}
