//! What is asked: a text, the word in it, whom it may stand for, and places for all of them.

use std::ops::Range;

use lookback_model::Encoding;
use lookback_trace::Words;
use serde::Serialize;

use crate::{Error, WordName, candidates, interest};

/// A place in a text, `[start, end)` in UTF-8 bytes.
pub type Span = (usize, usize);

/// A question about one word of a text. All places are in the text's bytes, so that they survive any tokenizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// The text.
    pub text: String,
    /// Where the word stands.
    pub word: Span,
    /// Whom it may stand for: two or more, each named before the word.
    pub candidates: Vec<Named>,
    /// How the text is continued to ask the model itself (`The one who gets high scores is`).
    pub probe: Option<String>,
}

/// Someone or something with its places in the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// Everywhere it stands before the word, in order; at least one place.
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
        let word = interest(text, words, &asked)?[0];
        let span = |w: usize| words.get(w).map_or((0, 0), |w| (w.span.start, w.span.end));
        let candidates = match named {
            [] => of_their_own_accord(words, word),
            named => given(text, words, word, named)?,
        };
        if candidates.len() < 2 {
            return Err(Error::FewCandidates {
                word: crate::label(words, word),
                found: candidates.into_iter().map(|c| c.name).collect(),
            });
        }
        Ok(Self {
            text: text.to_owned(),
            word: span(word),
            candidates,
            probe: probe.map(str::to_owned).filter(|p| !p.trim().is_empty()),
        })
    }

    /// The word as the text writes it.
    #[must_use]
    pub fn word_text(&self) -> &str {
        &self.text[self.word.0..self.word.1]
    }

    /// What stands after the word, which its own row cannot see where the mask is causal; without the full stop.
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
    let meets = |&(s, e): &Span| s < end && e > start;
    let first = encoding.spans.iter().position(meets).unwrap_or(0);
    let count = encoding.spans[first..]
        .iter()
        .take_while(|s| meets(s))
        .count();
    first..first + count
}

/// Capitalised words, and words after a determiner where those are too few.
fn of_their_own_accord(words: &Words, word: usize) -> Vec<Named> {
    let mut found = candidates::candidates(words, word);
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

fn given(text: &str, words: &Words, word: usize, names: &[WordName]) -> Result<Vec<Named>, Error> {
    let mut found: Vec<Named> = Vec::new();
    for name in names {
        let places: Vec<Span> = name
            .find(text, words)?
            .into_iter()
            .filter(|place| place.end <= word)
            .filter_map(|place| {
                let (first, last) = (words.get(place.start)?, words.get(place.end - 1)?);
                Some((first.span.start, last.span.end))
            })
            .collect();
        if places.is_empty() {
            return Err(Error::CandidateNotBefore {
                candidate: name.to_string(),
                interest: vec![crate::label(words, word)],
            });
        }
        let named = Named {
            name: name.text().to_owned(),
            places,
        };
        if !found.contains(&named) {
            found.push(named);
        }
    }
    Ok(found)
}
