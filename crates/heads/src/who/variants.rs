//! The same question with one thing changed: the names swapped, or the word flipped that decides between them.

use serde::Serialize;

use super::order::{capitalised, reordered};
use super::question::{Named, Question, Span};
use super::set::places;

/// What is flipped: mostly so that a reader who understands the text would choose the other candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Flip {
    /// The connective before the word (`Yet` → `So`): the other of the two *roles* is meant.
    Connective {
        /// As the text has it.
        from: String,
        /// As the variant has it.
        to: String,
    },
    /// The word itself (`he` → `she`): the other of two *names* is meant, where they differ in gender.
    Pronoun {
        /// As the text has it.
        from: String,
        /// As the variant has it.
        to: String,
    },
    /// The order of the two clauses that name the candidates: the same one is meant, in the other place.
    Order,
}

impl Flip {
    /// `Yet → So`, or `clauses in the other order`.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Connective { from, to } | Self::Pronoun { from, to } => format!("{from} → {to}"),
            Self::Order => "clauses in the other order".to_owned(),
        }
    }

    /// Whether a reader who understands the text would now choose the other candidate.
    #[must_use]
    pub fn flips_the_answer(&self) -> bool {
        *self != Self::Order
    }
}

/// Connectives and what each is swapped for. Only one right before the word asked about counts, or one word before that.
const CONNECTIVES: &[(&str, &str)] = &[
    ("yet", "so"),
    ("but", "so"),
    ("so", "yet"),
    ("because", "although"),
    ("since", "although"),
    ("although", "because"),
    ("though", "because"),
    ("however", "therefore"),
    ("nevertheless", "therefore"),
    ("therefore", "nevertheless"),
    ("thus", "nevertheless"),
    ("hence", "nevertheless"),
];

/// Pronouns of one gender and the same form of the other. (`her` is swapped for `him`, not `his`: it is read as an
/// object.)
const PRONOUNS: &[(&str, &str)] = &[
    ("he", "she"),
    ("she", "he"),
    ("him", "her"),
    ("his", "her"),
    ("her", "him"),
    ("himself", "herself"),
    ("herself", "himself"),
];

/// The question with two candidates' names in each other's places, before and after the word.
#[must_use]
pub fn swapped(question: &Question, (a, b): (usize, usize)) -> Question {
    let (first, second) = (&question.candidates[a].name, &question.candidates[b].name);
    let mut changes: Vec<(Span, String)> = Vec::new();
    for (name, other) in [(first, second), (second, first)] {
        for place in places(&question.text, name) {
            let opens = question.text[..place.0].trim_end();
            let opens = opens.is_empty() || opens.ends_with(['.', '!', '?', '\n']);
            changes.push((
                place,
                if opens {
                    capitalised(other)
                } else {
                    other.clone()
                },
            ));
        }
    }
    substitute(question, changes, |named| match &named.name {
        name if name == first => second.clone(),
        name if name == second => first.clone(),
        name => name.clone(),
    })
}

/// The ways in which the question about two of its candidates can be flipped, each with its text.
#[must_use]
pub fn flipped(question: &Question, pair: (usize, usize)) -> Vec<(Flip, Question)> {
    let mut found = Vec::new();
    let before = question.text[..question.word.0].split_word_bounds_rev();
    for (at, word) in before.take(2) {
        if let Some(to) = swap_for(CONNECTIVES, word) {
            let place = (at, at + word.len());
            let variant = substitute(question, vec![(place, to.clone())], |n| n.name.clone());
            let from = word.to_owned();
            found.push((Flip::Connective { from, to }, variant));
            break;
        }
    }
    let word = question.word_text();
    if let Some(to) = swap_for(PRONOUNS, word) {
        let variant = substitute(question, vec![(question.word, to.clone())], |n| {
            n.name.clone()
        });
        let from = word.to_owned();
        found.push((Flip::Pronoun { from, to }, variant));
    }
    found.extend(reordered(question, pair).map(|variant| (Flip::Order, variant)));
    found
}

/// What a list swaps a word for, its first letter as the word's.
fn swap_for(list: &[(&str, &str)], word: &str) -> Option<String> {
    let lower = word.to_lowercase();
    let (_, to) = list.iter().find(|(from, _)| *from == lower)?;
    Some(match word.chars().next() {
        Some(c) if c.is_uppercase() => capitalised(to),
        _ => (*to).to_owned(),
    })
}

/// The question with other words at some places, which do not overlap; every other place is where its words now are.
fn substitute(
    question: &Question,
    mut changes: Vec<(Span, String)>,
    name_at: impl Fn(&Named) -> String,
) -> Question {
    changes.sort();
    let mut text = String::with_capacity(question.text.len() + 16);
    let mut read = 0;
    for ((start, end), to) in &changes {
        text.push_str(&question.text[read..*start]);
        text.push_str(to);
        read = *end;
    }
    text.push_str(&question.text[read..]);
    let moved = |(start, end): Span| {
        let mut at = start;
        let mut len = end - start;
        for ((s, e), to) in &changes {
            if (*s, *e) == (start, end) {
                len = to.len();
            } else if *e <= start {
                at = at + to.len() - (e - s);
            }
        }
        (at, at + len)
    };
    // A candidate keeps its number and its name, and is now where that name stands.
    let mut candidates = question.candidates.clone();
    for old in &question.candidates {
        let new_name = name_at(old);
        if let Some(candidate) = candidates.iter_mut().find(|c| c.name == new_name) {
            candidate.places = old.places.iter().map(|&p| moved(p)).collect();
        }
    }
    Question {
        text,
        word: moved(question.word),
        candidates,
        probe: question.probe.clone(),
    }
}

/// Words of a text from its end, each with where it starts.
trait WordsFromTheEnd {
    fn split_word_bounds_rev(&self) -> impl Iterator<Item = (usize, &str)>;
}

impl WordsFromTheEnd for str {
    fn split_word_bounds_rev(&self) -> impl Iterator<Item = (usize, &str)> {
        self.rsplit(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(|word| (word.as_ptr() as usize - self.as_ptr() as usize, word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(text: &str, word: &str, names: &[&str]) -> Question {
        let start = text.rfind(&format!(" {word} ")).unwrap() + 1;
        Question {
            text: text.to_owned(),
            word: (start, start + word.len()),
            candidates: names
                .iter()
                .map(|name| Named {
                    name: (*name).to_owned(),
                    places: places(&text[..start], name),
                })
                .collect(),
            probe: None,
        }
    }

    #[track_caller]
    fn check(question: &Question) {
        for candidate in &question.candidates {
            assert!(!candidate.places.is_empty());
            for &(start, end) in &candidate.places {
                assert_eq!(
                    question.text[start..end].to_lowercase(),
                    candidate.name.to_lowercase()
                );
            }
        }
    }

    #[test]
    fn names_change_places_everywhere() {
        let asked = question(
            "Jo saw Maria. Jo left, Joanna stayed. Yet he met Maria.",
            "he",
            &["Jo", "Maria"],
        );
        let swapped = swapped(&asked, (0, 1));
        assert_eq!(
            swapped.text,
            "Maria saw Jo. Maria left, Joanna stayed. Yet he met Jo."
        );
        assert_eq!(swapped.word_text(), "he");
        assert_eq!(swapped.candidates[0].places, [(10, 12)]);
        check(&swapped);
    }

    #[test]
    fn a_noun_that_comes_to_open_a_sentence_is_capitalised() {
        let asked = question(
            "Students met teachers and they left.",
            "they",
            &["Students", "teachers"],
        );
        let swapped = swapped(&asked, (0, 1));
        assert_eq!(swapped.text, "Teachers met Students and they left.");
        check(&swapped);
    }

    #[test]
    fn names_change_places_where_no_spaces_are_written() {
        let text = "张伟很用功，李娜不用功。可是她考得好。";
        let start = text.find('她').unwrap();
        let named = |name: &str| Named {
            name: name.to_owned(),
            places: places(&text[..start], name),
        };
        let asked = Question {
            text: text.to_owned(),
            word: (start, start + '她'.len_utf8()),
            candidates: vec![named("张伟"), named("李娜")],
            probe: None,
        };
        let swapped = swapped(&asked, (0, 1));
        assert_eq!(swapped.text, "李娜很用功，张伟不用功。可是她考得好。");
        assert_eq!(swapped.word_text(), "她");
        check(&swapped);
    }

    #[test]
    fn what_decides_is_flipped() {
        let asked = question(
            "Ann runs, Eve does not. Yet she wins it.",
            "she",
            &["Ann", "Eve"],
        );
        let flipped = flipped(&asked, (0, 1));
        assert_eq!(flipped[0].1.text, "Ann runs, Eve does not. So she wins it.");
        assert_eq!(flipped[0].1.word_text(), "she");
        assert_eq!(flipped[1].1.text, "Ann runs, Eve does not. Yet he wins it.");
        assert_eq!(flipped[1].1.word_text(), "he");
        assert_eq!(flipped[0].0.label(), "Yet → So");
        assert_eq!(
            flipped[2].1.text,
            "Eve does not, Ann runs. Yet she wins it."
        );
        assert_eq!(flipped.len(), 3);
        flipped.iter().for_each(|(_, q)| check(q));
        let plain = question("Ann saw Eve. Now it is late.", "it", &["Ann", "Eve"]);
        assert!(super::flipped(&plain, (0, 1)).is_empty());
    }
}
