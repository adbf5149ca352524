//! How two clauses say that one does something and another does not.
//!
//! A pattern holds `{1}` and `{2}` for the people in the order of the sentence, `{v}` for the verb as it stands after its
//! subject, `{base}`, `{past}`, `{pp}` (participle), `{ing}`, `{rest}`, `{j}` for what joins the clauses, and
//! `[plural|singular]` where words are inflected.

use super::names::Pronoun;
use super::topics::{Form, Topic};

/// A way to say it, with what joins its clauses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Template {
    form: usize,
    joiner: &'static str,
    held_out: bool,
}

impl Template {
    /// The templates of training, or those held out whole: other negations and other shapes of clauses.
    #[must_use]
    pub fn all(held_out: bool) -> Vec<Template> {
        let forms = if held_out { HELD_OUT } else { TRAINING };
        let mut all = Vec::new();
        for (form, (_, first, _)) in forms.iter().enumerate() {
            let joiners = if first.contains("{j}") {
                JOINERS
            } else {
                &[""]
            };
            all.extend(joiners.iter().map(|&joiner| Template {
                form,
                joiner,
                held_out,
            }));
        }
        all
    }

    /// What it is called: the negation, and what joins the clauses.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.patterns().0;
        match self.joiner.trim() {
            "" => name.to_owned(),
            joiner => format!("{name} / {joiner}"),
        }
    }

    /// The negation alone.
    #[must_use]
    pub fn form(&self) -> &'static str {
        self.patterns().0
    }

    fn patterns(&self) -> &'static (&'static str, &'static str, &'static str) {
        &(if self.held_out { HELD_OUT } else { TRAINING })[self.form]
    }

    /// The two clauses, without a full stop. `first_does`: whether it is the first who does it.
    pub(super) fn clauses(
        &self,
        names: [&str; 2],
        topic: &Topic,
        pronoun: Pronoun,
        first_does: bool,
    ) -> String {
        let (_, first, second) = self.patterns();
        let pattern = if first_does { first } else { second };
        let verb = match pronoun {
            Pronoun::They => Form::Base,
            _ => Form::Third,
        };
        let filled = pronoun
            .inflect(pattern)
            .replace("{1}", names[0])
            .replace("{2}", names[1])
            .replace("{j}", self.joiner)
            .replace("{v}", topic.verb(verb))
            .replace("{base}", topic.verb(Form::Base))
            .replace("{past}", topic.verb(Form::Past))
            .replace("{pp}", topic.verb(Form::Participle))
            .replace("{ing}", topic.verb(Form::Gerund))
            .replace("{rest}", topic.rest());
        capitalised(&filled)
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

const JOINERS: &[&str] = &[", ", ", but ", " and ", ", while ", " but "];

/// Name, pattern where the first does it, pattern where the second does.
const TRAINING: &[(&str, &str, &str)] = &[
    (
        "does not",
        "{1} {v} {rest}{j}{2} [do|does] not",
        "{1} [do|does] not {base} {rest}{j}{2} [do|does]",
    ),
    (
        "doesn't",
        "{1} {v} {rest}{j}{2} [don't|doesn't]",
        "{1} [don't|doesn't] {base} {rest}{j}{2} [do|does]",
    ),
    (
        "does not (whole)",
        "{1} {v} {rest}{j}{2} [do|does] not {base} {rest}",
        "{1} [do|does] not {base} {rest}{j}{2} {v} {rest}",
    ),
    (
        "is not",
        "{1} [are|is] {ing} {rest}{j}{2} [are|is] not",
        "{1} [are|is] not {ing} {rest}{j}{2} [are|is]",
    ),
    (
        "was not",
        "{1} [were|was] {ing} {rest}{j}{2} [were|was] not",
        "{1} [were|was] not {ing} {rest}{j}{2} [were|was]",
    ),
    (
        "rarely",
        "{1} always {v} {rest}{j}{2} rarely [do|does]",
        "{1} rarely {v} {rest}{j}{2} always [do|does]",
    ),
    (
        "hardly ever",
        "{1} often {v} {rest}{j}{2} hardly ever [do|does]",
        "{1} hardly ever {v} {rest}{j}{2} often [do|does]",
    ),
    (
        "seldom",
        "{1} usually {v} {rest}{j}{2} seldom [do|does]",
        "{1} seldom {v} {rest}{j}{2} usually [do|does]",
    ),
    (
        "seldom (whole)",
        "{1} {v} {rest}{j}{2} seldom {v} {rest}",
        "{1} seldom {v} {rest}{j}{2} {v} {rest}",
    ),
    (
        "no longer",
        "{1} still {v} {rest}{j}{2} no longer [do|does]",
        "{1} no longer {v} {rest}{j}{2} still [do|does]",
    ),
    (
        "will not",
        "{1} will {base} {rest}{j}{2} will not",
        "{1} will not {base} {rest}{j}{2} will",
    ),
    (
        "won't",
        "{1} will {base} {rest}{j}{2} won't",
        "{1} won't {base} {rest}{j}{2} will",
    ),
    (
        "cannot",
        "{1} can {base} {rest}{j}{2} cannot",
        "{1} cannot {base} {rest}{j}{2} can",
    ),
    (
        "could not",
        "{1} could {base} {rest}{j}{2} could not",
        "{1} could not {base} {rest}{j}{2} could",
    ),
    (
        "has not",
        "{1} [have|has] {pp} {rest}{j}{2} [have|has] not",
        "{1} [have|has] not {pp} {rest}{j}{2} [have|has]",
    ),
    (
        "had not",
        "{1} had {pp} {rest}{j}{2} had not",
        "{1} had not {pp} {rest}{j}{2} had",
    ),
    (
        "would not",
        "{1} would {base} {rest}{j}{2} would not",
        "{1} would not {base} {rest}{j}{2} would",
    ),
    (
        "hates to",
        "{1} [like|likes] to {base} {rest}{j}{2} [hate|hates] to",
        "{1} [hate|hates] to {base} {rest}{j}{2} [like|likes] to",
    ),
    (
        "fails to",
        "{1} [manage|manages] to {base} {rest}{j}{2} [fail|fails] to",
        "{1} [fail|fails] to {base} {rest}{j}{2} [manage|manages] to",
    ),
    (
        "failed to",
        "{1} managed to {base} {rest}{j}{2} failed to",
        "{1} failed to {base} {rest}{j}{2} managed to",
    ),
    (
        "declined to",
        "{1} wanted to {base} {rest}{j}{2} declined to",
        "{1} declined to {base} {rest}{j}{2} wanted to",
    ),
    (
        "forgot to",
        "{1} remembered to {base} {rest}{j}{2} forgot to",
        "{1} forgot to {base} {rest}{j}{2} remembered to",
    ),
    (
        "neglected to",
        "{1} decided to {base} {rest}{j}{2} neglected to",
        "{1} neglected to {base} {rest}{j}{2} decided to",
    ),
    (
        "is unwilling to",
        "{1} [are|is] willing to {base} {rest}{j}{2} [are|is] unwilling to",
        "{1} [are|is] unwilling to {base} {rest}{j}{2} [are|is] willing to",
    ),
    (
        "was unable to",
        "{1} [were|was] able to {base} {rest}{j}{2} [were|was] unable to",
        "{1} [were|was] unable to {base} {rest}{j}{2} [were|was] able to",
    ),
    (
        "is reluctant to",
        "{1} [are|is] eager to {base} {rest}{j}{2} [are|is] reluctant to",
        "{1} [are|is] reluctant to {base} {rest}{j}{2} [are|is] eager to",
    ),
    (
        "does not want to",
        "{1} [want|wants] to {base} {rest}{j}{2} [do|does] not want to",
        "{1} [do|does] not want to {base} {rest}{j}{2} [want|wants] to",
    ),
    (
        "avoids",
        "{1} [enjoy|enjoys] {ing} {rest}{j}{2} [avoid|avoids] it",
        "{1} [avoid|avoids] {ing} {rest}{j}{2} [enjoy|enjoys] it",
    ),
    (
        "stopped",
        "{1} kept {ing} {rest}{j}{2} stopped",
        "{1} stopped {ing} {rest}{j}{2} kept on",
    ),
    (
        "barely",
        "{1} really {past} {rest}{j}{2} barely {past} {rest}",
        "{1} barely {past} {rest}{j}{2} really {past} {rest}",
    ),
    (
        "didn't",
        "{1} {past} {rest}{j}{2} didn't",
        "{1} didn't {base} {rest}{j}{2} {past} {rest}",
    ),
];

const HELD_OUT: &[(&str, &str, &str)] = &[
    (
        "never does",
        "{1} {v} {rest}{j}{2} never [do|does]",
        "{1} never {v} {rest}{j}{2} [do|does]",
    ),
    (
        "never (whole)",
        "{1} {v} {rest}{j}{2} never {v} {rest}",
        "{1} never {v} {rest}{j}{2} {v} {rest}",
    ),
    (
        "did not",
        "{1} {past} {rest}{j}{2} did not",
        "{1} did not {base} {rest}{j}{2} did",
    ),
    (
        "refused to",
        "{1} agreed to {base} {rest}{j}{2} refused to",
        "{1} refused to {base} {rest}{j}{2} agreed to",
    ),
    (
        "while in front",
        "While {1} {v} {rest}, {2} [do|does] not",
        "While {1} [do|does] not {base} {rest}, {2} [do|does]",
    ),
    (
        "semicolon",
        "{1} {v} {rest}; {2} [do|does] not",
        "{1} [do|does] not {base} {rest}; {2} [do|does]",
    ),
    (
        "we know that",
        "We know that {1} {v} {rest} and that {2} [do|does] not",
        "We know that {1} [do|does] not {base} {rest} and that {2} [do|does]",
    ),
    (
        "two sentences",
        "{1} {v} {rest}. {2} [do|does] not",
        "{1} [do|does] not {base} {rest}. {2} [do|does]",
    ),
];
