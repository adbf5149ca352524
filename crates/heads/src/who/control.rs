//! What a head's choice follows: the name, the place, or what decides between them.
//!
//! Four texts (names as they are and swapped, the text as it is and flipped) make a 2 × 2 factorial design, and a head's
//! margin m = weight(A) − weight(B) in the four a sum of four contrasts (Yates 1937, "The Design and Analysis of
//! Factorial Experiments"). With signs for (as is, swapped; the same two flipped):
//!
//! | contrast | signs | the head … |
//! | --- | --- | --- |
//! | name | + + + + | prefers one name, wherever it is |
//! | place | + − + − | prefers one place (the first, the nearer), whoever is named there |
//! | role | + − − + | changes place when the connective is flipped, and name when names are swapped |
//! | agreement | + + − − | changes name when the pronoun is flipped, and not when names are swapped |
//!
//! A connective can flip only the role, a pronoun's gender only the agreement; the other of the two should be nothing, and
//! is what noise looks like in the same heads.
//!
//! Where the clauses are put in the other order instead, each name moves with its clause, and the signs are
//!
//! | contrast | signs | the head … |
//! | --- | --- | --- |
//! | name | + + + + | prefers one name |
//! | place | + − − + | prefers one place, whichever name and clause is there |
//! | role | + − + − | prefers what is said of someone, whoever it is and wherever it is said |
//! | (chance) | + + − − | changes with the order and not with the names: should be nothing |

use lookback_trace::HeadId;
use serde::Serialize;

use super::variants::Flip;

/// The four contrasts of one head, each a mean of four margins in its sign pattern.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Contrasts {
    /// Which head.
    #[serde(flatten)]
    pub head: HeadId,
    /// Prefers the name of the first candidate (or, negative, of the second).
    pub name: f64,
    /// Prefers the place of the first candidate (or of the second).
    pub place: f64,
    /// Follows what was flipped; with the clauses in the other order, prefers its clause.
    pub meaning: f64,
    /// What the flip should not change: the size of noise.
    pub chance: f64,
    /// Whether the sign is right in all four texts.
    pub consistent: bool,
}

/// One flip of a question, and what each head makes of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Control {
    /// What was flipped. A control that does not [flip the answer](Flip::flips_the_answer) does not say who a head means.
    pub flip: Flip,
    /// The head that follows the flip most: among those that distinguish the two where there are any.
    pub best: Contrasts,
    /// The head that follows it most the other way round: where `best` favours A, this one favours B.
    pub other: Option<Contrasts>,
    /// The largest chance contrast of any head.
    pub chance: f64,
    /// How many heads are right in all four texts.
    pub consistent: usize,
    /// How many heads there are.
    pub heads: usize,
    /// Whether the best head is right in all four texts, and by more than [`BEYOND_CHANCE`] times the largest chance
    /// contrast.
    pub distinguishes: bool,
    /// All heads, in order.
    #[serde(skip)]
    pub all: Vec<Contrasts>,
}

/// How many times the largest chance contrast a head's must be: the largest of as many heads by luck alone is as
/// large as that, give or take.
pub const BEYOND_CHANCE: f64 = 2.0;

/// The margins of one head in the four texts: as is, swapped, flipped, swapped and flipped.
pub(super) type FourMargins = (HeadId, [f64; 4]);

impl Contrasts {
    pub(super) fn new((head, [m00, m10, m01, m11]): FourMargins, flip: &Flip) -> Self {
        let contrast = |signs: [f64; 4]| {
            (signs[0] * m00 + signs[1] * m10 + signs[2] * m01 + signs[3] * m11) / 4.0
        };
        let with_names = [1.0, -1.0, 1.0, -1.0];
        let with_both = [1.0, -1.0, -1.0, 1.0];
        let with_flip = [1.0, 1.0, -1.0, -1.0];
        let (pattern, place, other) = match flip {
            Flip::Connective { .. } => (with_both, with_names, with_flip),
            Flip::Pronoun { .. } => (with_flip, with_names, with_both),
            Flip::Order => (with_names, with_both, with_flip),
        };
        let margins = [m00, m10, m01, m11];
        let signed: Vec<f64> = margins.iter().zip(pattern).map(|(m, s)| m * s).collect();
        Self {
            head,
            name: contrast([1.0; 4]),
            place: contrast(place),
            meaning: contrast(pattern),
            chance: contrast(other),
            consistent: signed.iter().all(|&m| m > 0.0) || signed.iter().all(|&m| m < 0.0),
        }
    }
}

impl Control {
    /// From every head's margins in the four texts; none without heads.
    pub(super) fn new(flip: Flip, margins: impl Iterator<Item = FourMargins>) -> Option<Self> {
        let all: Vec<Contrasts> = margins.map(|m| Contrasts::new(m, &flip)).collect();
        let chance = all.iter().map(|c| c.chance.abs()).fold(0.0, f64::max);
        let beyond = |c: &Contrasts| c.consistent && c.meaning.abs() > BEYOND_CHANCE * chance;
        let best = *all.iter().max_by(|a, b| {
            let larger = a.meaning.abs().total_cmp(&b.meaning.abs());
            beyond(a).cmp(&beyond(b)).then(larger)
        })?;
        let other = all
            .iter()
            .filter(|c| beyond(c) && c.meaning * best.meaning < 0.0)
            .max_by(|a, b| a.meaning.abs().total_cmp(&b.meaning.abs()));
        Some(Self {
            flip,
            best,
            other: other.copied(),
            chance,
            consistent: all.iter().filter(|c| c.consistent).count(),
            heads: all.len(),
            distinguishes: beyond(&best),
            all,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: HeadId = HeadId { layer: 3, head: 1 };

    fn flip(connective: bool) -> Flip {
        let (from, to) = (String::from("a"), String::from("b"));
        match connective {
            true => Flip::Connective { from, to },
            false => Flip::Pronoun { from, to },
        }
    }

    #[test]
    fn each_preference_shows_in_its_own_contrast() {
        let of = |margins| Contrasts::new((HEAD, margins), &flip(true));
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12);
        let name = of([0.1; 4]);
        close(name.name, 0.1);
        close(name.place, 0.0);
        close(name.meaning, 0.0);
        assert!(!name.consistent);
        let place = of([-0.2, 0.2, -0.2, 0.2]);
        close(place.place, -0.2);
        close(place.meaning, 0.0);
        let role = of([0.3, -0.3, -0.3, 0.3]);
        close(role.meaning, 0.3);
        close(role.chance, 0.0);
        assert!(role.consistent);
        let agreement = Contrasts::new((HEAD, [-0.3, -0.3, 0.3, 0.3]), &flip(false));
        close(agreement.meaning, -0.3);
        assert!(agreement.consistent);
    }

    #[test]
    fn the_order_of_clauses_distinguishes_a_place_from_a_role() {
        // A stands first, then (names swapped) B, then (clauses in the other order) B, then A again.
        let first = Contrasts::new((HEAD, [0.2, -0.2, -0.2, 0.2]), &Flip::Order);
        assert!((first.place - 0.2).abs() < 1e-12 && first.meaning.abs() < 1e-12);
        let role = Contrasts::new((HEAD, [0.2, -0.2, 0.2, -0.2]), &Flip::Order);
        assert!((role.meaning - 0.2).abs() < 1e-12 && role.place.abs() < 1e-12);
        assert!(role.consistent && !first.consistent);
    }

    #[test]
    fn margins_are_the_sum_of_their_contrasts() {
        let margins = [0.31, -0.12, 0.07, 0.55];
        let c = Contrasts::new((HEAD, margins), &flip(true));
        let back = [
            c.name + c.place + c.meaning + c.chance,
            c.name - c.place - c.meaning + c.chance,
            c.name + c.place - c.meaning - c.chance,
            c.name - c.place + c.meaning - c.chance,
        ];
        for (back, margin) in back.iter().zip(margins) {
            assert!((back - margin).abs() < 1e-12);
        }
    }

    #[test]
    fn a_head_distinguishes_only_beyond_chance() {
        let other = HeadId { layer: 0, head: 0 };
        let strong = [
            (HEAD, [0.3, -0.3, -0.3, 0.3]),
            (other, [0.1, 0.1, -0.1, -0.1]),
        ];
        let control = Control::new(flip(true), strong.into_iter()).unwrap();
        assert!(control.distinguishes && control.best.head == HEAD && control.consistent == 1);
        assert_eq!(control.other, None);
        let weak = [
            (HEAD, [0.15, -0.15, -0.15, 0.15]),
            (other, [0.1, 0.1, -0.1, -0.1]),
        ];
        assert!(
            !Control::new(flip(true), weak.into_iter())
                .unwrap()
                .distinguishes
        );
    }
}
