//! Which names a word may refer to.

use std::collections::HashMap;
use std::ops::Range;

use lookback_trace::Words;
use serde::Serialize;

use crate::{Error, WordName, lists};

/// Someone or something that a word of interest may refer to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The name, as the text writes it (without a possessive `'s`).
    pub text: String,
    /// Every word that names it and that the word of interest can see, as indices into the trace's words. What a head
    /// gives a candidate is the sum over these.
    pub words: Vec<usize>,
}

/// The capitalised ones of the words `seen` (where the mask is causal, all before the word of interest), without function words and pronouns ([`lists`]), in the order of their first occurrence; a name that occurs
/// several times is one candidate.
///
/// A word is capitalised where its first letter is upper case. So *Yet* at the head of a sentence is none, while a
/// noun there (*Students …*) is taken: only a person can see that it is no name.
///
/// ```
/// use lookback_trace::Words;
/// let text = "Jack's dog met Ann. Yet Jack saw it.";
/// let spans = [(0, 4), (4, 6), (6, 10), (10, 14), (14, 18), (18, 19), (19, 23), (23, 28), (28, 32), (32, 35), (35, 36)];
/// let words = Words::new(text, &spans);
/// let it = words.iter().position(|w| w.text == "it").unwrap();
/// let found = lookback_heads::candidates(&words, 0..it);
/// assert_eq!(found[0].text, "Jack");
/// assert_eq!(found[0].words, [0, 6]);
/// assert_eq!(found[1].text, "Ann");
/// assert_eq!(found.len(), 2);
/// ```
#[must_use]
pub fn candidates(words: &Words, seen: impl IntoIterator<Item = usize>) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    let seen = seen.into_iter().filter_map(|at| Some((at, words.get(at)?)));
    for (index, word) in seen {
        if !is_capitalised(&word.text) || lists::is_function_word(&word.text) {
            continue;
        }
        let name = lists::without_clitic(&word.text);
        let at = *by_name.entry(name).or_insert_with(|| {
            found.push(Candidate {
                text: name.to_owned(),
                words: Vec::new(),
            });
            found.len() - 1
        });
        found[at].words.push(index);
    }
    found
}

/// The words directly after a determiner ([`lists::DETERMINERS`]) before word `before`: `the dog`, `her brother`. A
/// guess at nouns that takes an adjective where one stands between; whoever knows better names the candidates.
#[must_use]
pub fn after_determiners(words: &Words, before: usize) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for index in 1..before.min(words.len()) {
        let (Some(determiner), Some(word)) = (words.get(index - 1), words.get(index)) else {
            break;
        };
        let letters = word.text.chars().all(char::is_alphabetic);
        if !letters
            || !lists::is_determiner(&determiner.text)
            || lists::is_function_word(&word.text)
        {
            continue;
        }
        match found.iter_mut().find(|known| known.text == word.text) {
            Some(known) => known.words.push(index),
            None => found.push(Candidate {
                text: word.text.clone(),
                words: vec![index],
            }),
        }
    }
    found
}

/// The candidates that a person named, each with those of its occurrences that lie within the words that are `seen`; one
/// that has none is left out.
///
/// # Errors
/// Those of [`WordName::find`].
pub fn named(
    text: &str,
    words: &Words,
    seen: impl Fn(usize) -> bool,
    names: &[WordName],
) -> Result<Vec<Candidate>, Error> {
    let mut found = Vec::new();
    for name in names {
        let places = name.find(text, words)?;
        let of_seen = places.into_iter().filter(|place| place.clone().all(&seen));
        let candidate = Candidate {
            text: name.to_string(),
            words: distinct(of_seen),
        };
        if !candidate.words.is_empty() && !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    Ok(found)
}

/// The words of these places, each once, in order.
fn distinct(places: impl Iterator<Item = Range<usize>>) -> Vec<usize> {
    let mut words: Vec<usize> = places.flatten().collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Whether the first letter is upper case (or title case, as in ǅ).
fn is_capitalised(word: &str) -> bool {
    word.chars()
        .find(|c| c.is_alphabetic())
        .is_some_and(|c| !c.is_lowercase() && c.to_lowercase().ne(std::iter::once(c)))
}
