//! Which words are asked about.

use lookback_trace::Words;

use crate::{Error, WordName, lists};

/// The words of interest, as indices into the trace's words, in the text's order and each once.
///
/// The words named are taken; with none named, all pronouns of the text ([`lists::PRONOUNS`]), and without
/// pronouns the last word, which is where the model stands when it predicts what comes next.
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
/// let texts = |found: Vec<usize>| -> Vec<_> { found.into_iter().map(|w| words.get(w).unwrap().text.clone()).collect() };
///
/// assert_eq!(texts(interest(text, &words, &[])?), ["She", "him"]);
/// assert_eq!(texts(interest(text, &words, &["saw".parse()?])?), ["saw"]);
/// # Ok::<(), lookback_heads::Error>(())
/// ```
pub fn interest(text: &str, words: &Words, named: &[WordName]) -> Result<Vec<usize>, Error> {
    if words.is_empty() {
        return Err(Error::NoWords);
    }
    let mut found = Vec::new();
    for name in named {
        found.push(name.find_one(text, words)?);
    }
    if named.is_empty() {
        let all_capitals = !text.chars().any(char::is_lowercase);
        found = (0..words.len())
            .filter(|&w| {
                words
                    .get(w)
                    .is_some_and(|w| lists::is_pronoun(&w.text, all_capitals))
            })
            .collect();
    }
    if found.is_empty() {
        found.push(words.len() - 1);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
