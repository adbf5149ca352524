//! Finding the words that a person names.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::str::FromStr;

use lookback_trace::Words;

use crate::Error;
use crate::edit_distance::edit_distance;

/// How many bytes of text an occurrence shows on either side, at most.
const CONTEXT: usize = 12;

/// How many similar words an error offers.
const SIMILAR: usize = 5;

/// A word as a person names it: `WORD`, or `WORD#n` for its nth occurrence in the text, from 1.
///
/// ```
/// use lookback_heads::WordName;
/// let name: WordName = "he#2".parse()?;
/// assert_eq!((name.text(), name.occurrence()), ("he", Some(2)));
/// let whole: WordName = "C#".parse()?;
/// assert_eq!((whole.text(), whole.occurrence()), ("C#", None));
/// # Ok::<(), lookback_heads::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WordName {
    text: String,
    occurrence: Option<NonZeroUsize>,
}

/// One place where a word stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// Its words, as indices into the trace's words: one, or several in a row.
    pub words: Range<usize>,
    /// The word with a little of the text around it, on one line.
    pub context: String,
}

impl WordName {
    /// The word (or words) looked for, as the text writes it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which occurrence, from 1; none where there should be only one.
    #[must_use]
    pub fn occurrence(&self) -> Option<usize> {
        self.occurrence.map(NonZeroUsize::get)
    }

    /// The one word of the text that this names.
    ///
    /// # Errors
    /// [`Error::NoSuchWord`], [`Error::NoSuchOccurrence`], [`Error::AmbiguousWord`] where it occurs more than
    /// once and no occurrence was named, [`Error::SeveralWords`].
    pub fn find_one(&self, text: &str, words: &Words) -> Result<usize, Error> {
        let mut found = self.find(text, words)?;
        if found.len() > 1 {
            return Err(Error::AmbiguousWord {
                word: self.text.clone(),
                occurrences: found
                    .into_iter()
                    .map(|words_at| occurrence(text, words, words_at))
                    .collect(),
            });
        }
        // `find` gives at least one.
        match found.swap_remove(0) {
            at if at.len() == 1 => Ok(at.start),
            at => Err(Error::SeveralWords {
                word: self.text.clone(),
                count: at.len(),
            }),
        }
    }

    /// Every place that this names, in the text's order: all occurrences, or the one whose number was given.
    /// Several words in a row (`New York`) are found where the text writes them so.
    ///
    /// # Errors
    /// [`Error::NoSuchWord`], [`Error::NoSuchOccurrence`].
    pub fn find(&self, text: &str, words: &Words) -> Result<Vec<Range<usize>>, Error> {
        let found = occurrences(&self.text, text, words);
        if found.is_empty() {
            return Err(Error::NoSuchWord {
                word: self.text.clone(),
                similar: similar(&self.text, words),
            });
        }
        match self.occurrence() {
            None => Ok(found),
            Some(n) => match found.get(n - 1) {
                Some(at) => Ok(vec![at.clone()]),
                None => Err(Error::NoSuchOccurrence {
                    word: self.text.clone(),
                    asked: n,
                    occurs: found.len(),
                }),
            },
        }
    }
}

impl FromStr for WordName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let malformed = || Error::MalformedWord { name: name.into() };
        let trimmed = name.trim();
        let numbered = trimmed.rsplit_once('#').filter(|(word, number)| {
            !word.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
        });
        let (text, occurrence) = match numbered {
            Some((word, number)) => (word, Some(number.parse().map_err(|_| malformed())?)),
            None => (trimmed, None),
        };
        if text.is_empty() {
            return Err(malformed());
        }
        Ok(Self {
            text: text.to_owned(),
            occurrence,
        })
    }
}

impl fmt::Display for WordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.occurrence {
            Some(n) => write!(f, "{}#{n}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// The name of a word of the text: the word itself where it occurs once, else `WORD#n`.
///
/// # Panics
/// Where there is no such word.
#[must_use]
pub fn label(words: &Words, word: usize) -> String {
    let text = &words.get(word).expect("the word is one of these").text;
    let same = |w: &&lookback_trace::Word| w.text == *text;
    if words.iter().filter(same).count() == 1 {
        return text.clone();
    }
    format!(
        "{text}#{}",
        words.iter().take(word + 1).filter(same).count()
    )
}

/// The runs of whole words that the text writes as `wanted`.
fn occurrences(wanted: &str, text: &str, words: &Words) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for first in 0..words.len() {
        let start = words.get(first).map_or(0, |w| w.span.start);
        if !text
            .get(start..)
            .is_some_and(|rest| rest.starts_with(wanted))
        {
            continue;
        }
        let end = start + wanted.len();
        let run = words
            .iter()
            .skip(first)
            .take_while(|w| w.span.end <= end)
            .count();
        let ends_on_a_word = run > 0
            && words
                .get(first + run - 1)
                .is_some_and(|w| w.span.end == end);
        if ends_on_a_word {
            found.push(first..first + run);
        }
    }
    found
}

fn occurrence(text: &str, words: &Words, at: Range<usize>) -> Occurrence {
    let span_start = words.get(at.start).map_or(0, |w| w.span.start);
    let span_end = words.get(at.end - 1).map_or(span_start, |w| w.span.end);
    let start = (span_start.saturating_sub(CONTEXT)..=span_start)
        .find(|&b| text.is_char_boundary(b))
        .unwrap_or(span_start);
    let end = (span_end..=(span_end + CONTEXT).min(text.len()))
        .rev()
        .find(|&b| text.is_char_boundary(b))
        .unwrap_or(span_end);
    let shown: String = text[start..end]
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let before = if start > 0 { "…" } else { "" };
    let after = if end < text.len() { "…" } else { "" };
    Occurrence {
        words: at,
        context: format!("{before}{}{after}", shown.trim()),
    }
}

/// Words that the wanted one may have meant, the nearest first, equals in the text's order: those that differ in case or by
/// a clitic, are misspelt, or contain it or are contained in it (three letters at least).
fn similar(wanted: &str, words: &Words) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut similar: Vec<(usize, &str)> = Vec::new();
    for word in words.iter() {
        if !similar.iter().any(|&(_, known)| known == word.text)
            && let Some(distance) = distance(&wanted, &word.text.to_lowercase())
        {
            similar.push((distance, &word.text));
        }
    }
    similar.sort_by_key(|&(distance, _)| distance);
    let nearest = similar.into_iter().take(SIMILAR);
    nearest.map(|(_, word)| word.to_owned()).collect()
}

/// How far two words in lower case are apart; none where one is hardly meant by the other.
fn distance(wanted: &str, word: &str) -> Option<usize> {
    if word == wanted || crate::lists::without_clitic(word) == wanted {
        return Some(0);
    }
    edit_distance(wanted, word).or_else(|| {
        let long = |word: &str| word.chars().count() >= 3;
        let within =
            (long(wanted) && word.contains(wanted)) || (long(word) && wanted.contains(word));
        within.then_some(usize::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_offered_and_others_are_not() {
        let text =
            "Vatsal studies a lot, Madd's dog does not. Yet he gets high scores in mathematics.";
        let spans: Vec<_> = (0..text.len()).map(|at| (at, at + 1)).collect();
        let words = Words::new(text, &spans);
        let cases: [(&str, &[&str]); 10] = [
            ("vatsal", &["Vatsal"]),
            ("Vatsl", &["Vatsal"]),
            ("Vastal", &["Vatsal"]),
            ("Mad", &["Madd's"]),
            ("Madd", &["Madd's"]),
            ("hee", &["he"]),
            ("mathematcs", &["mathematics"]),
            ("studiess", &["studies"]),
            ("it", &[]),
            ("banana", &[]),
        ];
        for (wanted, expected) in cases {
            assert_eq!(similar(wanted, &words), expected, "{wanted}");
        }
    }

    #[test]
    fn what_is_offered_first_is_nearest() {
        let text = "stories store storey story stork stone";
        let spans: Vec<_> = (0..text.len()).map(|at| (at, at + 1)).collect();
        let similar = similar("STORY", &Words::new(text, &spans));
        assert_eq!(similar, ["story", "store", "storey", "stork"]);
    }
}
