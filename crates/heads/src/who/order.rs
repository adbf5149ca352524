//! The same question with two clauses in the other order: `A …, B …. Yet he …` becomes `B …, A …. Yet he …`.
//!
//! Swapping the names moves each name to the other place *and* to the other clause. Swapping the clauses moves each
//! name with its clause, so that the two together distinguish a head that prefers a place (the first name, the nearer one)
//! from one that follows what is said of whoever stands in a clause.

use super::question::{Question, Span};
use crate::lists::is_determiner;

/// Words that may stand between the two clauses, behind the comma.
const LINKS: &[&str] = &["but", "and", "while", "whereas"];

/// The question with its two clauses in the other order, where the text allows it: one sentence before the word whose
/// two clauses begin with the two candidates (each with its determiner and adjectives, where it has them), with a comma or semicolon
/// between them.
#[must_use]
pub fn reordered(question: &Question, (a, b): (usize, usize)) -> Option<Question> {
    let places = |candidate: usize| question.candidates[candidate].places.iter().copied();
    let both = |x: usize, y: usize| {
        places(x).flat_map(move |first| places(y).map(move |second| (first, second)))
    };
    let pairs = both(a, b).chain(both(b, a));
    let clauses = pairs
        .into_iter()
        .find_map(|(first, second)| Clauses::find(question, first, second))?;
    clauses.exchanged(question)
}

/// Two clauses of one sentence, in bytes of the text.
#[derive(Debug, Clone, Copy)]
struct Clauses {
    first: Span,
    second: Span,
    /// Whether the first begins with its candidate, whose case is then its own and not the sentence's.
    first_is_named: bool,
}

impl Clauses {
    /// Where the candidate at `first` opens a sentence and that at `second` the clause after it.
    fn find(question: &Question, first: Span, second: Span) -> Option<Self> {
        let text = &question.text;
        if first.1 > second.0 {
            return None;
        }
        let opening = |place: Span| opening(text, place.0);
        let (start, middle) = (opening(first), opening(second));
        let before = text[..start].trim_end();
        if !before.is_empty() && !before.ends_with(['.', '!', '?', '\n']) {
            return None;
        }
        let first_end = end_of_clause(&text[..middle])?;
        let end = middle + text[middle..].find(['.', '!', '?', ';', '\n'])?;
        let one_sentence = !text[start..first_end].contains(['.', '!', '?', ';', '\n']);
        (one_sentence && first_end > first.1 && end <= question.word.0).then_some(Self {
            first: (start, first_end),
            second: (middle, end),
            first_is_named: start == first.0,
        })
    }

    /// The question with the two in each other's places; none where a letter's other case has another length.
    fn exchanged(self, question: &Question) -> Option<Question> {
        let (text, (start, first_end), (middle, end)) = (&question.text, self.first, self.second);
        let opens = capitalised(&text[middle..end]);
        let follows = match self.first_is_named {
            true => text[start..first_end].to_owned(),
            false => uncapitalised(&text[start..first_end]),
        };
        let between = &text[first_end..middle];
        if opens.len() != end - middle || follows.len() != first_end - start {
            return None;
        }
        let moved = |(s, e): Span| match s {
            s if s >= start && e <= first_end => {
                let by = end - middle + between.len();
                (s + by, e + by)
            }
            s if s >= middle && e <= end => {
                let by = middle - start;
                (s - by, e - by)
            }
            _ => (s, e),
        };
        let mut candidates = question.candidates.clone();
        for candidate in &mut candidates {
            candidate
                .places
                .iter_mut()
                .for_each(|place| *place = moved(*place));
            candidate.places.sort_unstable();
        }
        Some(Question {
            text: format!(
                "{}{opens}{between}{follows}{}",
                &text[..start],
                &text[end..]
            ),
            word: question.word,
            candidates,
            probe: question.probe.clone(),
        })
    }
}

/// Words between a determiner and its noun, at most (`the old red car`).
const ADJECTIVES: usize = 2;

/// Where the noun phrase whose name stands at `name` opens: at its determiner, where it has one.
fn opening(text: &str, name: usize) -> usize {
    let mut start = name;
    for _ in 0..=ADJECTIVES {
        let before = text[..start].trim_end_matches(' ');
        let word = before
            .rsplit(|c: char| !c.is_alphanumeric())
            .next()
            .unwrap_or_default();
        if word.is_empty() {
            break;
        }
        start = before.len() - word.len();
        if is_determiner(word) {
            return start;
        }
    }
    name
}

/// Where the clause that ends right before the end of `text` ends: before its comma or semicolon, and a link behind it.
fn end_of_clause(text: &str) -> Option<usize> {
    let mut before = text.trim_end();
    for link in LINKS {
        if let Some(rest) = before.strip_suffix(link)
            && rest.ends_with(char::is_whitespace)
        {
            before = rest.trim_end();
            break;
        }
    }
    before.strip_suffix([',', ';']).map(str::len)
}

pub(super) fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

fn uncapitalised(words: &str) -> String {
    let mut letters = words.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::question::Named;
    use super::super::set::places;
    use super::*;

    fn question(text: &str, word: &str, names: &[&str]) -> Question {
        let start = text.rfind(&format!(" {word} ")).unwrap() + 1;
        let named = |name: &&str| Named {
            name: (*name).to_owned(),
            places: places(&text[..start], name),
        };
        Question {
            text: text.to_owned(),
            word: (start, start + word.len()),
            candidates: names.iter().map(named).collect(),
            probe: None,
        }
    }

    #[track_caller]
    fn check(text: &str, word: &str, names: &[&str], expected: Option<&str>) {
        let asked = question(text, word, names);
        let found = reordered(&asked, (0, 1));
        assert_eq!(found.as_ref().map(|q| q.text.as_str()), expected);
        let Some(found) = found else { return };
        assert_eq!(found.word_text(), word);
        for candidate in &found.candidates {
            for &(start, end) in &candidate.places {
                assert_eq!(found.text[start..end], candidate.name);
            }
            assert_eq!(
                candidate.places,
                places(&found.text[..found.word.0], &candidate.name)
            );
        }
        // The clauses exchanged twice are the text itself.
        assert_eq!(reordered(&found, (0, 1)).unwrap(), asked);
    }

    #[test]
    fn clauses_are_exchanged_with_their_names() {
        let notes = "Vatsal studies a lot, Madd does not. Yet he gets high scores.";
        let expected = "Madd does not, Vatsal studies a lot. Yet he gets high scores.";
        check(notes, "he", &["Vatsal", "Madd"], Some(expected));
        check(notes, "he", &["Madd", "Vatsal"], Some(expected));
        check(
            "It rained. The old car was cheap, but the truck that met the car was new. Yet it runs well.",
            "it",
            &["car", "truck"],
            Some(
                "It rained. The truck that met the car was new, but the old car was cheap. Yet it runs well.",
            ),
        );
    }

    #[test]
    fn other_texts_are_left_alone() {
        for (text, word, names) in [
            (
                "John met Mary at the station. Then he left it.",
                "he",
                ["John", "Mary"],
            ),
            (
                "Ann runs. Eve does not. Yet she wins it.",
                "she",
                ["Ann", "Eve"],
            ),
            (
                "Today Ann runs, Eve does not. Yet she wins it.",
                "she",
                ["Ann", "Eve"],
            ),
            (
                "Ann runs, Eve does not, yet she wins it.",
                "she",
                ["Ann", "Eve"],
            ),
            (
                "Ann, Eve and all of us run. Yet she wins it.",
                "she",
                ["Ann", "Ann"],
            ),
        ] {
            check(text, word, &names, None);
        }
    }
}
