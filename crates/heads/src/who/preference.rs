//! What a head prefers between two candidates when the text around it changes: a name, a place or a role.

use lookback_trace::HeadId;
use serde::Serialize;

use super::control::{Contrasts, FourMargins};
use super::read::{CandidateWeights, RowWeights};
use super::variants::Flip;

/// One head's choice, and the same in the changed texts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadChoice {
    /// In the text as it is.
    #[serde(flatten)]
    pub as_is: CandidateWeights,
    /// Weight on each candidate (the same names) with the two names swapped: \[candidates\].
    pub swapped: Vec<f64>,
    /// Weight on each candidate with the clauses in the other order, each name with its own: \[candidates\];
    /// none where the text has no two such clauses.
    pub reordered: Option<Vec<f64>>,
    /// What it prefers between the pair.
    pub prefers: Preference,
}

/// What a head prefers between two candidates: the largest of its contrasts over the changed texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Preference {
    /// The same name, wherever it is.
    Name,
    /// The name that comes first, whoever it is. Without clauses that can be put in the other order this cannot be
    /// distinguished from a role that goes with the place.
    First,
    /// The name that is nearer to the word, likewise.
    Nearer,
    /// The clause: what is said of someone, whoever it is and wherever it is said.
    Role,
}

/// Every head's choice between two candidates.
pub(super) struct Choices {
    heads: Vec<HeadChoice>,
    pair: (usize, usize),
}

impl Choices {
    /// From the weights in the text as it is, with the names swapped, and (where there is such a text) with the
    /// clauses in the other order: as they are, and with the names swapped. The pair comes with the one of the two that
    /// comes first.
    pub(super) fn new(
        as_is: &RowWeights,
        swapped: &RowWeights,
        reordered: Option<(RowWeights, RowWeights)>,
        (pair, first): ((usize, usize), usize),
    ) -> Self {
        let margin = |weights: &RowWeights, at: usize| margin(&weights.heads[at].weights, pair);
        let heads = as_is.heads.iter().enumerate().map(|(at, plain)| {
            let (m, s) = (margin(as_is, at), margin(swapped, at));
            let four = reordered
                .as_ref()
                .map(|(one, both)| (plain.head, [m, s, margin(one, at), margin(both, at)]));
            let contrasts = four.map_or_else(
                || (0.5 * (m + s), 0.5 * (m - s), 0.0),
                |four: FourMargins| {
                    let c = Contrasts::new(four, &Flip::Order);
                    (c.name, c.place, c.meaning)
                },
            );
            HeadChoice {
                as_is: plain.clone(),
                swapped: swapped.heads[at].weights.clone(),
                reordered: reordered
                    .as_ref()
                    .map(|(one, _)| one.heads[at].weights.clone()),
                prefers: preference(contrasts, first == pair.0),
            }
        });
        Self {
            heads: heads.collect(),
            pair,
        }
    }

    /// One head's choice.
    pub(super) fn of(&self, id: HeadId) -> Option<HeadChoice> {
        self.heads
            .iter()
            .find(|choice| choice.as_is.head == id)
            .cloned()
    }

    /// The heads that favour one of the pair most.
    pub(super) fn most(&self, top: usize) -> Vec<HeadChoice> {
        let mut order: Vec<&HeadChoice> = self.heads.iter().collect();
        let size = |choice: &HeadChoice| margin(&choice.as_is.weights, self.pair).abs();
        order.sort_by(|a, b| size(b).total_cmp(&size(a)));
        order.into_iter().take(top).cloned().collect()
    }

    /// The head that prefers something most: whose smallest margin over the texts is the largest.
    pub(super) fn strongest(&self, preferences: &[Preference]) -> Option<HeadChoice> {
        let smallest = |choice: &HeadChoice| {
            let changed = std::iter::once(&choice.swapped).chain(&choice.reordered);
            let texts = std::iter::once(&choice.as_is.weights).chain(changed);
            let margins = texts.map(|weights| margin(weights, self.pair).abs());
            margins.fold(f64::INFINITY, f64::min)
        };
        let found = self
            .heads
            .iter()
            .filter(|choice| preferences.contains(&choice.prefers));
        found
            .max_by(|a, b| smallest(a).total_cmp(&smallest(b)))
            .cloned()
    }
}

/// How much more weight the first of a pair gets.
pub(super) fn margin(weights: &[f64], (a, b): (usize, usize)) -> f64 {
    weights[a] - weights[b]
}

/// From the contrasts of name, place and role, the place's above 0 where the first of the pair is favoured.
fn preference((name, place, role): (f64, f64, f64), pair_in_order: bool) -> Preference {
    if name.abs() >= place.abs() && name.abs() >= role.abs() {
        return Preference::Name;
    }
    if role.abs() > place.abs() {
        return Preference::Role;
    }
    match (place > 0.0) == pair_in_order {
        true => Preference::First,
        false => Preference::Nearer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: HeadId = HeadId { layer: 2, head: 1 };

    /// The weights of one head that gives two candidates these weights.
    fn weights(a: f64, b: f64) -> RowWeights {
        RowWeights {
            from: super::super::From::Word,
            heads: vec![CandidateWeights {
                head: HEAD,
                weights: vec![a, b],
                shares: vec![a, b],
                sink_share: 0.0,
            }],
            answering: 0..3,
            sees_after: false,
        }
    }

    /// What a head prefers that gives A and B so much in the four texts: as is, names swapped, clauses in the
    /// other order, both.
    fn of(four: [[f64; 2]; 4]) -> Preference {
        let [plain, swapped, one, both] = four.map(|[a, b]| weights(a, b));
        let choices = Choices::new(&plain, &swapped, Some((one, both)), ((0, 1), 0));
        choices.heads[0].prefers
    }

    #[test]
    fn a_head_is_shown_as_what_it_prefers() {
        let (a, b) = ([0.3, 0.1], [0.1, 0.3]);
        assert_eq!(of([a, a, a, a]), Preference::Name);
        // A comes first in the first and the last text.
        assert_eq!(of([a, b, b, a]), Preference::First);
        assert_eq!(of([b, a, a, b]), Preference::Nearer);
        // A is in the first clause of the first text, and stays in it in the third.
        assert_eq!(of([a, b, a, b]), Preference::Role);
    }

    #[test]
    fn the_swap_alone_distinguishes_a_name_from_a_place() {
        let preferred = |plain: [f64; 2], swapped: [f64; 2], first| {
            let (plain, swapped) = (weights(plain[0], plain[1]), weights(swapped[0], swapped[1]));
            Choices::new(&plain, &swapped, None, ((0, 1), first)).heads[0].prefers
        };
        assert_eq!(preferred([0.3, 0.1], [0.2, 0.1], 0), Preference::Name);
        assert_eq!(preferred([0.3, 0.1], [0.1, 0.2], 0), Preference::First);
        assert_eq!(preferred([0.3, 0.1], [0.1, 0.2], 1), Preference::Nearer);
    }
}
