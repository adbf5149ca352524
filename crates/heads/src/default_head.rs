//! The head that is shown where a person chose none.

use std::ops::Range;

use lookback_trace::{HeadId, Trace};
use ndarray::{Array1, s};

use crate::select::tokens_of;
use crate::{Error, candidates, visible};

/// A head, and what it was chosen for.
#[derive(Debug, Clone, PartialEq)]
pub struct DefaultHead {
    /// Which head.
    pub head: HeadId,
    /// What it looks at: the candidates by name, or `the words before it`, `the other words`, or `itself` where there are
    /// none.
    pub on: String,
    /// Its weight on that.
    pub weight: f32,
}

/// The head that gives the candidates for what a word refers to the most weight together; without candidates, the other
/// words that it sees; without any, itself. Of equals the first. `word` is one of the trace's words, or several in a row.
///
/// The program and the page both open this head.
///
/// # Errors
/// [`Error::NoSuchUnit`], and [`Error::Trace`] where the trace's numbers are damaged.
///
/// ```
/// let trace = lookback_heads::example::Example::default().trace();
/// let he = lookback_heads::interest(&trace.meta().text, trace.words(), &[])?.remove(0);
/// let chosen = lookback_heads::default_head(&trace, &he)?;
/// assert_eq!(chosen.on, "Vatsal and Madd");
/// # Ok::<(), lookback_heads::Error>(())
/// ```
pub fn default_head(trace: &Trace, word: &Range<usize>) -> Result<DefaultHead, Error> {
    trace.require_self_attention("What a word looks back at")?;
    if word.is_empty() || word.end > trace.words().len() {
        return Err(Error::NoSuchUnit {
            unit: "word",
            index: word.end.max(1) - 1,
            count: trace.words().len(),
        });
    }
    let tokens = tokens_of(trace.words(), word);
    let mut rows = Vec::new();
    for head in trace.heads() {
        let row = trace.head(head.layer, head.head)?;
        rows.push((head, row.mean_row(tokens.clone())?));
    }
    Ok(of_rows(
        trace,
        word,
        rows.iter().map(|(head, row)| (*head, row)),
    ))
}

/// The same from every head's weights at the word: \[N\] each, the mean over its tokens.
pub(crate) fn of_rows<'a>(
    trace: &Trace,
    word: &Range<usize>,
    rows: impl Iterator<Item = (HeadId, &'a Array1<f32>)>,
) -> DefaultHead {
    let (keys, on) = shown(trace, word);
    let mut heads = rows.map(|(head, row)| {
        let on = |keys: &Range<usize>| row.slice(s![keys.clone()]).sum();
        (head, keys.iter().map(on).sum::<f32>())
    });
    // A trace always has at least one head.
    let first = heads.next().unwrap_or((HeadId { layer: 0, head: 0 }, 0.0));
    let (head, weight) = heads.fold(
        first,
        |best, next| if next.1 > best.1 { next } else { best },
    );
    DefaultHead { head, on, weight }
}

/// The keys whose weight decides, and what to call them.
fn shown(trace: &Trace, word: &Range<usize>) -> (Vec<Range<usize>>, String) {
    let words = trace.words();
    let tokens = |&w: &usize| tokens_of(words, &(w..w + 1));
    let sees = visible::words(trace, word);
    let others: Vec<usize> = (0..sees).filter(|w| !word.contains(w)).collect();
    let found = candidates(words, others.iter().copied());
    let of_found = || found.iter().flat_map(|c| &c.words).map(tokens).collect();
    match (found.as_slice(), others.as_slice()) {
        ([], []) => (vec![tokens_of(words, word)], "itself".to_owned()),
        ([], others) => {
            let on = match others.iter().all(|&w| w < word.start) {
                true => "the words before it",
                false => "the other words",
            };
            (others.iter().map(tokens).collect(), on.to_owned())
        }
        ([one], _) => (of_found(), one.text.clone()),
        ([one, other], _) => (of_found(), format!("{} and {}", one.text, other.text)),
        (many, _) => (of_found(), format!("the {} candidates", many.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Example;
    use crate::{Look, LookOptions};

    #[test]
    fn no_head_gives_the_candidates_more() {
        let trace = Example::default().trace();
        let look = Look::new(&trace, &LookOptions::default()).unwrap();
        let focus = look.focus(0).unwrap();
        let chosen = default_head(&trace, &look.interest()[0]).unwrap();
        let on = |w: &[f32]| -> f32 {
            focus
                .candidates
                .iter()
                .flat_map(|c| &c.candidate.words)
                .map(|&c| w[c])
                .sum()
        };
        let sums: Vec<f32> = focus.heads.iter().map(|h| on(&h.word_weights)).collect();
        let largest = sums.iter().copied().fold(0.0, f32::max);
        assert!((chosen.weight - largest).abs() < 1e-6);
        let at = focus.heads.iter().position(|h| h.head == chosen.head);
        assert!((sums[at.unwrap()] - chosen.weight).abs() < 1e-6);
    }

    #[test]
    fn without_candidates_the_words_before_count_and_the_first_word_has_only_itself() {
        for (text, on) in [("we left", "itself"), ("so we left", "the words before it")] {
            let trace = Example {
                text: text.to_owned(),
                ..Example::default()
            }
            .trace();
            let word = crate::interest(text, trace.words(), &[]).unwrap().remove(0);
            assert_eq!(default_head(&trace, &word).unwrap().on, on);
        }
    }

    #[test]
    fn without_a_causal_mask_words_behind_count_too() {
        let trace = Example {
            text: "she left with Ann".to_owned(),
            mask: lookback_trace::Mask::None,
            ..Example::default()
        }
        .trace();
        let chosen = default_head(&trace, &(0..1)).unwrap();
        assert_eq!(chosen.on, "Ann");
        assert!(chosen.weight > 0.0);
        assert!(default_head(&trace, &(4..5)).is_err());
    }
}
