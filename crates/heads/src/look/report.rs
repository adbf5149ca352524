//! What is asked of a trace.

use std::ops::Range;

use lookback_trace::{HeadId, PREFIX_NAME, Trace};
use serde::Serialize;

use crate::candidates::{self, Candidate};
use crate::select::label_of;
use crate::{Error, WordName, interest, token_text, visible};

/// What a [`Look`] asks.
#[derive(Debug, Clone, PartialEq)]
pub struct LookOptions {
    /// The words of interest; where empty, the pronouns, else the last word with a letter or digit.
    pub words: Vec<WordName>,
    /// The candidates; where empty, the capitalised words that each word of interest sees.
    pub candidates: Vec<WordName>,
    /// The heads that are reported one by one; where empty, all. What all heads do together always covers all.
    pub heads: Vec<HeadId>,
    /// How many heads are named for each candidate.
    pub heads_per_candidate: usize,
    /// Texts of the prefix tokens, for display; without them each is called [`PREFIX_NAME`].
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
    /// or, in the prefix, the token's own text ([`PREFIX_NAME`] where the reader of the trace did not know it).
    pub text: String,
    /// `[start, end)` in UTF-8 bytes of the text; empty in the prefix.
    pub span: (usize, usize),
    /// Whether it is part of the prefix, and not of the text.
    pub prefix: bool,
}

/// What takes the weight that no word gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Sink {
    /// The tokens before the text. Shares exclude their weight, which is reported as the sink share.
    Prefix {
        /// Their texts, joined.
        text: String,
    },
    /// There is no prefix, so the text's first word acts as the sink, and nothing is excluded: weight on that word says
    /// little.
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
    interest: Vec<Range<usize>>,
    candidates: Vec<Vec<Candidate>>,
    heads: Vec<HeadId>,
    heads_per_candidate: usize,
}

impl<'t> Look<'t> {
    /// Finds the words, candidates and heads that are named.
    ///
    /// # Errors
    /// [`Error::NoWords`], those of [`WordName::find_one`], [`Error::CandidateNotBefore`], [`Error::NoSuchHead`], and
    /// [`Error::Trace`] of cross-attention.
    pub fn new(trace: &'t Trace, options: &LookOptions) -> Result<Self, Error> {
        trace.require_self_attention("What a word looks back at")?;
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
        look.validate_candidates(&options.candidates)?;
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

    /// The words of interest, as ranges of the trace's words: see [`interest`](crate::interest()).
    #[must_use]
    pub fn interest(&self) -> &[Range<usize>] {
        &self.interest
    }

    /// The words of interest by name: `he`, or `he#2` where the word occurs more than once.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        let (text, words) = (&self.trace.meta().text, self.trace.words());
        let each = self.interest.iter();
        each.map(|at| label_of(text, words, at)).collect()
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

    /// Where the weight goes that no word gets.
    #[must_use]
    pub fn sink(&self) -> Sink {
        let prefix = &self.tokens[..self.trace.meta().prefix_tokens];
        if prefix.is_empty() {
            return Sink::FirstWord { word: 0 };
        }
        Sink::Prefix {
            text: match prefix.iter().all(|token| token.text == PREFIX_NAME) {
                true => PREFIX_NAME.to_owned(),
                false => prefix.iter().map(|token| token.text.as_str()).collect(),
            },
        }
    }

    /// How many heads all layers have together.
    #[must_use]
    pub fn head_count(&self) -> usize {
        self.trace.heads().count()
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

    /// How many words, from the first, a word of interest sees.
    pub(super) fn sees(&self, index: usize) -> usize {
        visible::words(self.trace, &self.interest[index])
    }

    fn validate_candidates(&self, names: &[WordName]) -> Result<(), Error> {
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
    interest: &[Range<usize>],
    names: &[WordName],
) -> Result<Vec<Vec<Candidate>>, Error> {
    let words = trace.words();
    interest
        .iter()
        .map(|word| {
            let sees = visible::words(trace, word);
            let seen = |at: usize| at < sees && !word.contains(&at);
            match names {
                [] => Ok(candidates::candidates(
                    words,
                    (0..sees).filter(|&at| seen(at)),
                )),
                names => candidates::named(&trace.meta().text, words, seen, names),
            }
        })
        .collect()
}

/// The heads asked for, or all.
fn heads_of(trace: &Trace, asked: &[HeadId]) -> Result<Vec<HeadId>, Error> {
    if asked.is_empty() {
        return Ok(trace.heads().collect());
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
    meta.tokens
        .iter()
        .zip(&meta.spans)
        .enumerate()
        .map(|(index, (&id, &span))| TokenInfo {
            id,
            text: token_text(trace, prefix_texts, index),
            span,
            prefix: index < meta.prefix_tokens,
        })
        .collect()
}
