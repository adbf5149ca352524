//! Which words are asked about.

use std::ops::Range;

use lookback_trace::Words;

use crate::{Error, WordName, lists};

/// The words of interest in the text's order and each once, as ranges of the trace's words: one, or several in a row
/// where a script without spaces was cut into characters.
///
/// The words named are taken; with none named, all pronouns of the text ([`lists::PRONOUNS`]), and without
/// pronouns the last word that has a letter or a digit, which is where the model is about to predict what comes next.
///
/// # Errors
/// [`Error::NoWords`] where the text has none; those of [`WordName::find_one`].
///
/// ```
/// use lookback_heads::interest;
/// use lookback_trace::Words;
/// let text = "Jack met Ann. She saw him.";
/// let spans = [(0, 4), (4, 8), (8, 12), (12, 13), (13, 17), (17, 21), (21, 25), (25, 26)];
/// let words = Words::new(text, &spans);
/// assert_eq!(interest(text, &words, &[])?, [4..5, 6..7]);
/// assert_eq!(interest(text, &words, &["saw".parse()?])?, [5..6]);
///
/// // Without a pronoun: the last word, and not its full stop.
/// let words = Words::new("Ann left.", &[(0, 3), (3, 8), (8, 9)]);
/// assert_eq!(interest("Ann left.", &words, &[])?, [1..2]);
/// # Ok::<(), lookback_heads::Error>(())
/// ```
pub fn interest(text: &str, words: &Words, named: &[WordName]) -> Result<Vec<Range<usize>>, Error> {
    if words.is_empty() {
        return Err(Error::NoWords);
    }
    let mut found = Vec::new();
    for name in named {
        found.push(name.find_one(text, words)?);
    }
    if named.is_empty() {
        let all_capitals = !text.chars().any(char::is_lowercase);
        let pronouns = words.iter().enumerate();
        let pronouns = pronouns.filter(|(_, word)| lists::is_pronoun(&word.text, all_capitals));
        found.extend(pronouns.map(|(at, _)| at..at + 1));
    }
    if found.is_empty() {
        let mut from_the_end = (0..words.len()).rev();
        let spoken = |&at: &usize| {
            let word = words.get(at);
            word.is_some_and(|word| word.text.contains(char::is_alphanumeric))
        };
        let last = from_the_end.find(spoken).unwrap_or(words.len() - 1);
        found.push(last..last + 1);
    }
    found.sort_unstable_by_key(|at| (at.start, at.end));
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_word_is_the_last_that_is_spoken() {
        for (text, expected) in [
            ("Der Hund schläft.", "schläft"),
            ("मैं घर जा रहा हूँ।", "हूँ"),
            ("他住在北京。", "京"),
            ("ذهب الولد إلى المدرسة.", "المدرسة"),
            ("Sie kam um 10?!", "10"),
            ("“…”", "”"),
        ] {
            let spans: Vec<_> = text
                .char_indices()
                .map(|(at, c)| (at, at + c.len_utf8()))
                .collect();
            let words = Words::new(text, &spans);
            let found = interest(text, &words, &[]).unwrap();
            assert_eq!(words.get(found[0].start).unwrap().text, expected, "{text}");
        }
    }
}
