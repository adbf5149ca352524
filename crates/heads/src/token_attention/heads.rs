//! Each head's part in what a unit gives.

use lookback_trace::{HeadId, Trace};
use ndarray::Array1;
use serde::Serialize;

use super::excluded::Excluded;
use super::units::Units;

/// How many units are listed for each head where nothing is said.
const LISTED: usize = 3;

/// How heads are ranked, and what is listed of each.
pub(super) struct Ranking {
    /// By the weight on this unit, instead of the largest on any other.
    pub(super) target: Option<usize>,
    /// How many units are listed.
    pub(super) listed: Option<usize>,
}

/// What one head gives.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadAttention {
    /// Which head.
    #[serde(flatten)]
    pub head: HeadId,
    /// The weight on what is excluded.
    pub hidden: f32,
    /// The weight on the unit itself.
    pub on_itself: f32,
    /// The weight by which the heads are ranked: on the target, or the largest on any other unit.
    pub score: f32,
    /// The other units with the largest weights, the greatest first.
    pub most: Vec<UnitWeight>,
}

/// A unit and the weight on it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct UnitWeight {
    /// Which unit.
    pub index: usize,
    /// The raw weight on it.
    pub weight: f32,
}

impl HeadAttention {
    pub(super) fn new(
        trace: &Trace,
        units: &Units,
        excluded: &Excluded,
        (index, head): (usize, HeadId),
        row: &Array1<f32>,
        ranking: &Ranking,
    ) -> Self {
        let sums = units.sums(row);
        let mut others: Vec<UnitWeight> = (0..units.len())
            .filter(|&u| u != index && !excluded.holds(units, u) && sums[u] > 0.0)
            .map(|index| UnitWeight {
                index,
                weight: sums[index],
            })
            .collect();
        let heavier = |a: &UnitWeight, b: &UnitWeight| {
            b.weight.total_cmp(&a.weight).then(a.index.cmp(&b.index))
        };
        // At least one is needed for the score.
        let listed = ranking.listed.unwrap_or(LISTED);
        if others.len() > listed.max(1) {
            others.select_nth_unstable_by(listed.max(1), heavier);
            others.truncate(listed.max(1));
        }
        others.sort_unstable_by(heavier);
        let most = others.first().map_or(0.0, |most| most.weight);
        others.truncate(listed);
        Self {
            head,
            hidden: excluded.mass(row) + excluded.learned(trace, head, row.sum()),
            on_itself: sums[index],
            score: ranking.target.map_or(most, |target| sums[target]),
            most: others,
        }
    }
}

/// Puts the head that looks most first; equals in the model's order.
pub(super) fn rank(heads: &mut [HeadAttention]) {
    heads.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.head.cmp(&b.head)));
}
