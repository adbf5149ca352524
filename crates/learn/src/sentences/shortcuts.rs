//! What a rule that looks at one thing alone could achieve at best.

use std::collections::BTreeMap;

use super::item::Item;

/// The best rule of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Shortcut {
    /// What it looks at.
    pub name: &'static str,
    /// Share of the items that the best rule of this kind answers rightly.
    pub accuracy: f64,
}

/// The best that rules on one thing alone achieve on `items`, each having been fitted to the very items it is judged
/// by, so that they are upper bounds:
///
/// * *position*: the first name, or the second;
/// * *name*: for each name, whether it is the answer where it stands;
/// * *word*: for each word, where it occurs and at which place in the sentence, the better of the two positions;
/// * *bag of words*: for each multiset of words, the more frequent answer.
///
/// Of *name* and *word* the worst case is given: the largest advantage that any one of them has, by its own items.
#[must_use]
pub fn shortcuts(items: &[Item]) -> Vec<Shortcut> {
    let mut position = Counts::default();
    let mut names: BTreeMap<&str, Counts> = BTreeMap::new();
    let mut words: BTreeMap<&str, Counts> = BTreeMap::new();
    let mut bags: BTreeMap<Vec<&str>, BTreeMap<&str, usize>> = BTreeMap::new();
    for item in items {
        let answer = item.answer_index();
        position.add(answer);
        for (index, name) in item.candidates.iter().enumerate() {
            names
                .entry(name)
                .or_default()
                .add(usize::from(index == answer));
        }
        let mut bag: Vec<&str> = item
            .text
            .split([' ', '.', ',', ';'])
            .filter(|w| !w.is_empty())
            .collect();
        bag.sort_unstable();
        let mut distinct = bag.clone();
        distinct.dedup();
        for word in distinct {
            words.entry(word).or_default().add(answer);
        }
        *bags
            .entry(bag)
            .or_default()
            .entry(&item.answer)
            .or_default() += 1;
    }
    let by_bag: usize = bags
        .values()
        .filter_map(|answers| answers.values().max())
        .sum();
    let worst =
        |counts: &BTreeMap<&str, Counts>| counts.values().map(Counts::best).fold(0.5, f64::max);
    vec![
        Shortcut {
            name: "position",
            accuracy: position.best(),
        },
        Shortcut {
            name: "name",
            accuracy: worst(&names),
        },
        Shortcut {
            name: "word",
            accuracy: worst(&words),
        },
        Shortcut {
            name: "bag of words",
            accuracy: by_bag as f64 / items.len().max(1) as f64,
        },
    ]
}

#[derive(Default)]
struct Counts([usize; 2]);

impl Counts {
    fn add(&mut self, outcome: usize) {
        self.0[outcome] += 1;
    }

    /// Share of the more frequent outcome.
    fn best(&self) -> f64 {
        let [a, b] = self.0;
        a.max(b) as f64 / (a + b).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::super::{Set, Split, draw};
    use super::*;

    fn items(split: Split, set: Set) -> Vec<Item> {
        let mut rng = StdRng::seed_from_u64(7);
        (0..200)
            .flat_map(|_| draw(split, &mut rng).forms(set))
            .collect()
    }

    #[test]
    fn no_shortcut_is_better_than_chance() {
        for split in [
            Split::Training,
            Split::HeldOutNames,
            Split::HeldOutTemplates,
        ] {
            for set in [Set::Pronoun, Set::Outcome] {
                for shortcut in shortcuts(&items(split, set)) {
                    // A capital letter gives the first place away: "The" and "the" in groups; so words of one place are
                    // bounded too, and all are exactly a half by the swaps.
                    assert!(
                        (shortcut.accuracy - 0.5).abs() < 1e-9,
                        "{split:?} {set:?} {shortcut:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_shortcut_that_is_there_is_found() {
        let found = |keep: fn(&Item) -> bool| -> Vec<bool> {
            let mut items = items(Split::Training, Set::Pronoun);
            items.retain(keep);
            shortcuts(&items)
                .iter()
                .map(|shortcut| shortcut.accuracy > 0.6)
                .collect()
        };
        // Position, name, word, bag of words.
        let lopsided = found(|item| item.answer_index() == 0 || !item.text.contains("Yet"));
        assert_eq!(lopsided, [true, false, true, false]);
        let favourites = found(|item| item.candidates.iter().min() == Some(&item.answer));
        assert_eq!(favourites, [false, true, false, true]);
    }

    #[test]
    fn spans_and_answers_are_where_they_say() {
        for set in [Set::Pronoun, Set::Outcome] {
            for item in items(Split::HeldOutTemplates, set) {
                let [start, end] = item.word_bytes().unwrap();
                assert_eq!(&item.text[start..end], item.word);
                let places = [0, 1].map(|index| item.candidate_bytes(index).unwrap());
                assert!(places[0] < places[1] && places[1][1] < start, "{item:?}");
                assert!(item.candidates.contains(&item.answer));
            }
        }
    }

    #[test]
    fn the_notes_sentence_is_among_them() {
        let draw = super::super::Draw {
            names: ["Vatsal", "Madd"],
            pronoun: super::super::Pronoun::He,
            topic: super::super::Topic::all(true)[0],
            template: super::super::Template::all(false).swap_remove(0),
            split: Split::Training,
        };
        let forms = draw.forms(Set::Pronoun);
        assert_eq!(
            forms[0].text,
            "Vatsal studies a lot, Madd does not. Yet he gets high scores in test."
        );
        assert_eq!(forms[0].answer, "Madd");
        assert_eq!(forms[1].answer, "Vatsal");
        assert_eq!(forms.len(), 8);
    }

    #[test]
    fn training_shows_no_held_out_word() {
        let shown = items(Split::Training, Set::Pronoun);
        for word in [
            "never",
            "did ",
            "refused",
            "agreed",
            "studies",
            "trains",
            "practises",
            "Vatsal",
            "Madd",
            "boys",
        ] {
            assert!(shown.iter().all(|item| !item.text.contains(word)), "{word}");
        }
    }
}
