//! Sentences of two people, of whom one does something and the other does not, and a pronoun that stands for one.
//!
//! *Vatsal studies a lot, Madd does not. Yet he gets high scores in test.* Names, topics and templates are drawn by a
//! seed; each draw gives all its swapped forms ([`Draw::forms`]): the names change places, the negation changes sides,
//! *Yet* and *So* take turns. So neither a position nor a name nor any word by itself tells the answer, which the
//! module's tests prove; what does is how negation, connective and place go together.
//!
//! The outcome is a good one, and stands after the pronoun, where a causal model's row of the pronoun cannot see it:
//! all that decides stands before. In the second set ([`Set::Outcome`]) outcomes are good and bad in turn; from the
//! pronoun's row it cannot be answered, from the last token's it can.

mod item;
mod names;
mod shortcuts;
mod templates;
mod topics;

pub use item::{Connective, Draw, Item, ReadFrom, Set};
pub use names::Pronoun;
pub use shortcuts::{Shortcut, shortcuts};
pub use templates::Template;
pub use topics::Topic;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

/// Which names, topics and templates sentences are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Names, topics and templates of training.
    Training,
    /// Names that training never shows, in its topics and templates.
    HeldOutNames,
    /// Templates, topics and names that training never shows.
    HeldOutTemplates,
}

impl Split {
    /// What it is called in tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::HeldOutNames => "held-out names",
            Self::HeldOutTemplates => "held-out templates",
        }
    }
}

/// Draws what one family of swapped sentences is made of. Templates come with equal chances by their negation.
pub fn draw(split: Split, rng: &mut StdRng) -> Draw {
    let templates = Template::all(split == Split::HeldOutTemplates);
    let forms: std::collections::BTreeSet<_> = templates.iter().map(Template::form).collect();
    let forms: Vec<_> = forms.into_iter().collect();
    let form = pick(&forms, rng);
    let of_form: Vec<_> = templates
        .into_iter()
        .filter(|template| template.form() == form)
        .collect();
    let pronoun = pick(
        &[
            Pronoun::He,
            Pronoun::He,
            Pronoun::She,
            Pronoun::She,
            Pronoun::They,
        ],
        rng,
    );
    let names = pronoun.names(split != Split::Training);
    let first = pick(&names, rng);
    let others: Vec<_> = names.into_iter().filter(|name| *name != first).collect();
    Draw {
        names: [first, pick(&others, rng)],
        pronoun,
        topic: pick(Topic::all(split == Split::HeldOutTemplates), rng),
        template: pick(&of_form, rng),
        split,
    }
}

/// The notes' own sentence and its swaps: names in both orders, the negation on either side, *Yet* and *So*.
#[must_use]
pub fn notes() -> Vec<Item> {
    let draw = Draw {
        names: ["Vatsal", "Madd"],
        pronoun: Pronoun::He,
        topic: Topic::all(true)[0],
        template: Template::all(false).swap_remove(0),
        split: Split::HeldOutTemplates,
    };
    draw.forms(Set::Pronoun)
}

/// One of several, by chance; the lists drawn from are never empty.
fn pick<T: Clone>(from: &[T], rng: &mut StdRng) -> T {
    from.choose(rng)
        .expect("a list of names, topics or templates is not empty")
        .clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notes_sentence_is_among_its_forms() {
        let text = "Vatsal studies a lot, Madd does not. Yet he gets high scores in test.";
        let items = notes();
        let item = items.iter().find(|item| item.text == text);
        assert_eq!(item.map(|item| item.answer.as_str()), Some("Madd"));
        assert_eq!(items.len(), 8);
    }
}
