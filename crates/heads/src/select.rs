//! Finding the words that a person names.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::str::FromStr;

use lookback_trace::Words;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use crate::Error;
use crate::edit_distance::edit_distance;

/// How many bytes of text an occurrence shows on either side, at most.
const CONTEXT: usize = 12;

/// How many similar words an error suggests.
const SIMILAR: usize = 5;

/// A word as a person names it: `WORD`, or `WORD#n` for its nth occurrence in the text, from 1.
///
/// It is found in whatever Unicode normal form the text writes it. In scripts that write no spaces, where a text is cut
/// into single characters, a word is several of those in a row.
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

    /// The one word of the text that this names: one of the trace's words, or several in a row with no space between
    /// them (東京).
    ///
    /// # Errors
    /// [`Error::NoSuchWord`], [`Error::NoSuchOccurrence`], [`Error::AmbiguousWord`] where it occurs more than
    /// once and no occurrence was named, [`Error::SeveralWords`] where it holds spaces.
    pub fn find_one(&self, text: &str, words: &Words) -> Result<Range<usize>, Error> {
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
        let at = found.swap_remove(0);
        if at.len() > 1 && self.text.contains(char::is_whitespace) {
            return Err(Error::SeveralWords {
                word: self.text.clone(),
                count: at.len(),
            });
        }
        Ok(at)
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

/// The same of a word that [`WordName::find_one`] found, which may be several of the trace's words in a row.
#[must_use]
pub fn label_of(text: &str, words: &Words, at: &Range<usize>) -> String {
    if at.len() == 1 {
        return label(words, at.start);
    }
    let span = span_of(words, at);
    let written = text.get(span).unwrap_or_default();
    let places = occurrences(written, text, words);
    match places.iter().position(|place| place == at) {
        Some(nth) if places.len() > 1 => format!("{written}#{}", nth + 1),
        _ => written.to_owned(),
    }
}

/// Where some words in a row stand, in bytes.
pub(crate) fn span_of(words: &Words, at: &Range<usize>) -> Range<usize> {
    let start = words.get(at.start).map_or(0, |word| word.span.start);
    let last = at.end.checked_sub(1).and_then(|last| words.get(last));
    start..last.map_or(start, |word| word.span.end)
}

/// The tokens of some words in a row, those between them included.
pub(crate) fn tokens_of(words: &Words, at: &Range<usize>) -> Range<usize> {
    let start = words.get(at.start).map_or(0, |word| word.tokens.start);
    let last = at.end.checked_sub(1).and_then(|last| words.get(last));
    start..last.map_or(start, |word| word.tokens.end)
}

/// The runs of whole words that the text writes as `wanted`, in any Unicode normal form.
fn occurrences(wanted: &str, text: &str, words: &Words) -> Vec<Range<usize>> {
    let plain = is_nfc(text);
    let wanted: String = wanted.nfc().collect();
    // A run is looked at as long as it may still become the wanted one.
    let run = |first: usize| {
        (first..words.len()).find_map(|last| {
            let written = text.get(span_of(words, &(first..last + 1)))?;
            let begins = match plain {
                true => wanted.starts_with(written),
                false => begins_with(&wanted, written),
            };
            match begins {
                false => Some(None),
                true => equal(written, &wanted).then_some(Some(first..last + 1)),
            }
        })
    };
    (0..words.len()).filter_map(run).flatten().collect()
}

/// Whether `wanted`, in NFC, begins with what a text writes in any form.
fn begins_with(wanted: &str, written: &str) -> bool {
    let mut letters = wanted.chars();
    written.nfc().all(|c| letters.next() == Some(c))
}

/// Whether two texts are the same but for their normal form; the second is in NFC.
fn equal(written: &str, wanted: &str) -> bool {
    written == wanted || written.nfc().eq(wanted.chars())
}

fn occurrence(text: &str, words: &Words, at: Range<usize>) -> Occurrence {
    let Range {
        start: span_start,
        end: span_end,
    } = span_of(words, &at);
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

    /// The words of a text whose tokens are its characters.
    fn words_of(text: &str) -> Words {
        let spans: Vec<_> = text
            .char_indices()
            .map(|(at, c)| (at, at + c.len_utf8()))
            .collect();
        Words::new(text, &spans)
    }

    fn found(name: &str, text: &str) -> Vec<String> {
        let words = words_of(text);
        let name: WordName = name.parse().unwrap();
        let places = name.find(text, &words).unwrap_or_default();
        let labels = places.iter().map(|at| label_of(text, &words, at));
        labels.collect()
    }

    #[test]
    fn words_of_several_characters_are_found_where_no_spaces_are_written() {
        let chinese = "北京很大。他住在北京。";
        assert_eq!(found("北京", chinese), ["北京#1", "北京#2"]);
        assert_eq!(found("北京#2", chinese), ["北京#2"]);
        assert_eq!(found("很大", chinese), ["很大"]);
        assert_eq!(found("แมว", "แมวเห็นหมา"), ["แมว"]);
        let words = words_of(chinese);
        let name: WordName = "北京#2".parse().unwrap();
        let at = name.find_one(chinese, &words).unwrap();
        assert_eq!(&chinese[span_of(&words, &at)], "北京");
        let york: WordName = "New York".parse().unwrap();
        let text = "He left New York.";
        assert!(matches!(
            york.find_one(text, &words_of(text)),
            Err(Error::SeveralWords { count: 2, .. })
        ));
    }

    #[test]
    fn a_word_is_found_in_either_normal_form() {
        let (composed, decomposed) = ("Jos\u{e9}", "Jose\u{301}");
        for text in [composed, decomposed] {
            for name in [composed, decomposed] {
                let text = format!("He saw {text}. She left.");
                assert_eq!(found(name, &text).len(), 1, "{name} in {text}");
                assert_eq!(found("Jos", &text).len(), 0);
            }
        }
        assert_eq!(found("각하", "그 \u{1100}\u{1161}\u{11a8}하 는").len(), 1);
    }

    #[test]
    fn what_is_offered_first_is_nearest() {
        let text = "stories store storey story stork stone";
        let spans: Vec<_> = (0..text.len()).map(|at| (at, at + 1)).collect();
        let similar = similar("STORY", &Words::new(text, &spans));
        assert_eq!(similar, ["story", "store", "storey", "stork"]);
    }
}
