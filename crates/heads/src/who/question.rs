//! What is asked: a text, the word in it, the names it may refer to, and places for all of them.

use std::ops::Range;

use lookback_model::Encoding;
use lookback_trace::Words;
use serde::Serialize;

use crate::select::{label_of, span_of};
use crate::{Error, WordName, candidates, interest};

/// A place in a text, `[start, end)` in UTF-8 bytes.
pub type Span = (usize, usize);

/// A question about one word of a text. All places are in the text's bytes, so that they survive any tokenizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// The text.
    pub text: String,
    /// Where the word is.
    pub word: Span,
    /// The names it may refer to: two or more, each before the word.
    pub candidates: Vec<Named>,
    /// How the text is continued to ask the model itself (`The one who gets high scores is`).
    pub probe: Option<String>,
}

/// Someone or something with its places in the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// Everywhere it occurs before the word, in order; at least one place.
    pub places: Vec<Span>,
}

impl Question {
    /// A question about the word `word` of `text`: the first pronoun where none is named. With no candidates named,
    /// they are the capitalised words before it, and where these are fewer than two, also the words that follow a
    /// determiner (`the dog`).
    ///
    /// # Errors
    /// Those of [`WordName::find_one`], [`Error::CandidateNotBefore`], [`Error::FewCandidates`].
    pub fn new(
        text: &str,
        words: &Words,
        word: Option<&WordName>,
        named: &[WordName],
        probe: Option<&str>,
    ) -> Result<Self, Error> {
        let asked: Vec<WordName> = word.cloned().into_iter().collect();
        // `interest` gives at least one word.
        let word = interest(text, words, &asked)?.swap_remove(0);
        let candidates = match named {
            [] => found(words, word.start),
            named => given(text, words, &word, named)?,
        };
        if candidates.len() < 2 {
            return Err(Error::FewCandidates {
                word: label_of(text, words, &word),
                found: candidates.into_iter().map(|c| c.name).collect(),
            });
        }
        let word = span_of(words, &word);
        Ok(Self {
            text: text.to_owned(),
            word: (word.start, word.end),
            candidates,
            probe: probe.map(str::to_owned).filter(|p| !p.trim().is_empty()),
        })
    }

    /// The word as the text writes it.
    #[must_use]
    pub fn word_text(&self) -> &str {
        &self.text[self.word.0..self.word.1]
    }

    /// What comes after the word, which its own row cannot see where the mask is causal; without the full stop.
    #[must_use]
    pub fn unseen(&self) -> &str {
        self.text[self.word.1..]
            .trim()
            .trim_end_matches(['.', '!', '?', '"', '”', '»', ')'])
    }

    /// The text with its probe behind it, where there is one.
    #[must_use]
    pub fn with_probe(&self) -> String {
        match &self.probe {
            None => self.text.clone(),
            Some(probe) => format!("{} {}", self.text.trim_end(), probe.trim()),
        }
    }
}

/// The tokens that stand for a place of the text.
pub(crate) fn tokens_of(encoding: &Encoding, (start, end): Span) -> Range<usize> {
    let overlaps = |&(s, e): &Span| s < end && e > start;
    let first = encoding.spans.iter().position(overlaps).unwrap_or(0);
    let count = encoding.spans[first..]
        .iter()
        .take_while(|s| overlaps(s))
        .count();
    first..first + count
}

/// Capitalised words, and words after a determiner where those are too few.
fn found(words: &Words, word: usize) -> Vec<Named> {
    let mut found = candidates::candidates(words, 0..word);
    if found.len() < 2 {
        for noun in candidates::after_determiners(words, word) {
            if !found.iter().any(|known| known.text == noun.text) {
                found.push(noun);
            }
        }
        found.sort_by_key(|candidate| candidate.words[0]);
    }
    let place = |candidate: &candidates::Candidate, w: usize| {
        let start = words.get(w).map_or(0, |w| w.span.start);
        (start, start + candidate.text.len())
    };
    found
        .into_iter()
        .map(|candidate| Named {
            places: candidate
                .words
                .iter()
                .map(|&w| place(&candidate, w))
                .collect(),
            name: candidate.text,
        })
        .collect()
}

/// The names that a person gave, as the text writes them.
fn given(
    text: &str,
    words: &Words,
    word: &Range<usize>,
    names: &[WordName],
) -> Result<Vec<Named>, Error> {
    let mut found: Vec<Named> = Vec::new();
    for name in names {
        let places: Vec<Span> = name
            .find(text, words)?
            .into_iter()
            .filter(|place| place.end <= word.start)
            .map(|place| span_of(words, &place))
            .map(|span| (span.start, span.end))
            .collect();
        let Some(&(start, end)) = places.first() else {
            return Err(Error::CandidateNotBefore {
                candidate: name.to_string(),
                interest: vec![label_of(text, words, word)],
            });
        };
        let named = Named {
            name: text[start..end].to_owned(),
            places,
        };
        if !found.contains(&named) {
            found.push(named);
        }
    }
    Ok(found)
}
