//! Sentences by chance, and the notes' own.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::item::{Draw, Item, Set};
use super::names::Pronoun;
use super::split::Split;
use super::templates::Template;
use super::topics::Topic;

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
