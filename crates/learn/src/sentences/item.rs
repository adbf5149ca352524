//! One sentence, and the forms that belong together.

use serde::{Deserialize, Serialize};

use super::names::Pronoun;
use super::split::Split;
use super::templates::Template;
use super::topics::Topic;

/// The word between the two clauses and the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Connective {
    /// Against expectation.
    Yet,
    /// As expected.
    So,
}

/// Which sentences are made of a draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Set {
    /// Eight forms with a good outcome: what decides comes before the pronoun.
    Pronoun,
    /// Sixteen forms, with good and bad outcomes: what decides comes after the pronoun too.
    Outcome,
}

/// Which token's row is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadFrom {
    /// The pronoun's.
    Pronoun,
    /// The last token's.
    Last,
}

/// What a family of sentences is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// Two people of the same pronoun.
    pub names: [&'static str; 2],
    /// The pronoun.
    pub pronoun: Pronoun,
    /// What they do or do not.
    pub topic: Topic,
    /// How it is said.
    pub template: Template,
    /// Where it was drawn from.
    pub split: Split,
}

/// A sentence with its question and answer, in the fields of Lookback's files of pronoun sentences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The sentence.
    pub text: String,
    /// The pronoun.
    pub word: String,
    /// Where it stands: \[start, end) in Unicode code points.
    pub word_span: [usize; 2],
    /// The names it may refer to, in the sentence's order.
    pub candidates: [String; 2],
    /// The name it refers to.
    pub answer: String,
    /// The split that it belongs to.
    pub group: String,
    /// The template's name.
    pub template: String,
    /// The beginning of a sentence that the answer completes.
    pub probe: String,
}

impl Item {
    /// Index of the answer among the candidates.
    #[must_use]
    pub fn answer_index(&self) -> usize {
        usize::from(self.candidates[1] == self.answer)
    }

    /// Where candidate `index` is named first: \[start, end) in bytes. None where it is not named.
    #[must_use]
    pub fn candidate_bytes(&self, index: usize) -> Option<[usize; 2]> {
        let name = self.candidates[index].as_str();
        let letter = |at: Option<char>| at.is_some_and(char::is_alphanumeric);
        self.text
            .match_indices(name)
            .map(|(start, _)| [start, start + name.len()])
            .find(|[start, end]| {
                !letter(self.text[..*start].chars().next_back())
                    && !letter(self.text[*end..].chars().next())
            })
    }

    /// Where the pronoun stands, in bytes. None where its span is not in the text.
    #[must_use]
    pub fn word_bytes(&self) -> Option<[usize; 2]> {
        let mut places = self
            .text
            .char_indices()
            .map(|(at, _)| at)
            .chain([self.text.len()]);
        let start = places.nth(self.word_span[0])?;
        let length = self.word_span[1]
            .checked_sub(self.word_span[0])?
            .checked_sub(1)?;
        Some([start, places.nth(length)?])
    }
}

impl Draw {
    /// All swapped forms: names in both orders, the negation on both sides, both connectives, and in
    /// [`Set::Outcome`] both outcomes.
    #[must_use]
    pub fn forms(&self, set: Set) -> Vec<Item> {
        let outcomes: &[bool] = match set {
            Set::Pronoun => &[true],
            Set::Outcome => &[true, false],
        };
        let mut forms = Vec::with_capacity(8 * outcomes.len());
        for swapped in [false, true] {
            for first_does in [true, false] {
                for connective in [Connective::Yet, Connective::So] {
                    for &good in outcomes {
                        forms.push(self.form(swapped, first_does, connective, good));
                    }
                }
            }
        }
        forms
    }

    fn form(&self, swapped: bool, first_does: bool, connective: Connective, good: bool) -> Item {
        let [a, b] = self.names;
        let names = if swapped { [b, a] } else { [a, b] };
        let article = if self.pronoun == Pronoun::They {
            "the "
        } else {
            ""
        };
        let people = names.map(|name| format!("{article}{name}"));
        let people = [people[0].as_str(), people[1].as_str()];
        let clauses = self
            .template
            .clauses(people, &self.topic, self.pronoun, first_does);
        let connective_word = match connective {
            Connective::Yet => "Yet",
            Connective::So => "So",
        };
        let before = format!("{clauses}. {connective_word} ");
        let word = self.pronoun.word();
        let outcome = self.topic.outcome(good, self.pronoun);
        let start = before.chars().count();
        // As expected, a good outcome is for whoever does it; a bad one, or one against expectation, for the other.
        let doer_is_meant = good == (connective == Connective::So);
        let answer = names[usize::from(doer_is_meant != first_does)];
        Item {
            text: format!("{before}{word} {outcome}."),
            word: word.to_owned(),
            word_span: [start, start + word.len()],
            candidates: names.map(str::to_owned),
            answer: answer.to_owned(),
            group: self.split.name().to_owned(),
            template: self.template.name(),
            probe: match self.pronoun {
                Pronoun::They => format!("The ones who {outcome} are the"),
                _ => format!("The one who {outcome} is"),
            },
        }
    }
}
