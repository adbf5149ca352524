//! The weights of a few strips of queries, in vectors. Nothing here knows of observers, so that it is compiled once for each
//! instruction set, whoever looks, and keeps its accumulators in registers. What the walk, which is generic, runs goes by way of
//! functions that are not (`run_on`): these are compiled in this crate, and not again in every crate that observes.

use std::f32::consts::LN_2;

use lookback_simd::math::{exp2_domain, exp2_in_domain};
use lookback_simd::{Isa, Kernel, Line, RegisterTile};

use super::layout::{LINES, MAX_ROWS, WORD};
use super::scores::{Scores, Strip};
use super::statistics::{Partial, RowPartial, Statistics};
use crate::InstructionSet;
use crate::score::{at_most_1, highest_weight};

/// Where a worker makes its tiles, one after the other.
pub(super) struct TileSpace {
    /// `[MAX_ROWS][LINES]`
    pub(super) weights: Vec<Line>,
    /// Whether somebody wants the rows' statistics, and where they are gathered.
    pub(super) statistics: bool,
    pub(super) partial: Box<Partial>,
}

impl TileSpace {
    pub(super) fn new(statistics: bool) -> TileSpace {
        TileSpace {
            weights: vec![Line::ZERO; MAX_ROWS * LINES],
            statistics,
            partial: Box::new(Partial::NONE),
        }
    }
}

/// Computes the weights of some strips for some keys.
pub(super) struct ExpWeights<'w, 'a> {
    /// Where the weights will stand in the end.
    pub(super) scores: Scores<'w, 'a>,
    /// Whether somebody wants the rows' statistics, and where they are gathered.
    pub(super) statistics: bool,
    pub(super) partial: &'w mut Partial,
}

impl Kernel for ExpWeights<'_, '_> {
    type Output = Option<Statistics>;

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) -> Option<Statistics> {
        self.scores.compute(isa);
        match self.statistics {
            true => self.weights::<I, true>(isa),
            false => self.weights::<I, false>(isa),
        }
        self.statistics.then(|| self.partial.finish(isa))
    }
}

impl ExpWeights<'_, '_> {
    /// Computes.
    pub(super) fn run_on(self, set: InstructionSet) -> Option<Statistics> {
        set.run(self)
    }

    /// Turns all scores into weights, row after row. Statistics are gathered while the weights are in registers.
    #[inline(always)]
    fn weights<I: Isa, const STATISTICS: bool>(&mut self, isa: I) {
        let Scores {
            strips,
            panels,
            to,
            stride,
            ..
        } = &mut self.scores;
        for (at, strip) in strips.iter().enumerate() {
            for r in 0..strip.rows.len() {
                let in_band = at * I::WideTile::ROWS + r;
                let row = &mut to[in_band * *stride..][..*panels];
                let partial = &mut *self.partial;
                exp_weights_of_row::<I, STATISTICS>(
                    isa,
                    None,
                    row,
                    strip.lse(r),
                    (partial, in_band),
                );
            }
        }
    }
}

/// Puts 1 in the place of weights that rounding alone made larger, among those `[strips][ROWS][LINES]` of some strips for `panels` · 16
/// keys; whether there are any. Hardly any tile has one: where the rows' maxima are known, only those are looked at.
pub(super) fn limit_to_1(
    (strips, height): (&[Strip], usize),
    panels: usize,
    weights: &mut [Line],
    statistics: Option<&Statistics>,
) -> bool {
    let mut any = false;
    for (at, strip) in strips.iter().enumerate() {
        for r in 0..strip.rows.len() {
            let in_band = at * height + r;
            let row = &mut weights[in_band * LINES..][..panels];
            let above = match statistics {
                Some(statistics) => statistics.maxima[in_band] > 1.0,
                None => row.iter().flat_map(|line| line.0).any(|w| w > 1.0),
            };
            if above {
                let highest = highest_weight(strip.lse(r) * LN_2);
                for line in row {
                    line.0 = line.0.map(|w| at_most_1(w, highest));
                }
                any = true;
            }
        }
    }
    any
}

/// Writes a row's weights, 2^(score − lse), and gathers their statistics if these are wanted. Where no scores are given, they
/// stand where the weights will.
#[inline(always)]
pub(super) fn exp_weights_of_row<I: Isa, const STATISTICS: bool>(
    isa: I,
    scores: Option<&[Line]>,
    row: &mut [Line],
    lse: f32,
    (partial, r): (&mut Partial, usize),
) {
    let nan = lse.is_nan();
    let lse = isa.splat(lse);
    let mut sums = RowPartial::new(isa);
    let lines = row.len();
    let scores = scores.map(|scores| &scores[..lines]);
    for (w, word) in row.chunks_mut(WORD).enumerate() {
        for (l, line) in word.iter_mut().enumerate() {
            for part in 0..Line::LEN / I::LANES {
                let to = line.part_mut(part, I::LANES);
                let score = match scores {
                    Some(scores) => isa.load(scores[w * WORD + l].part(part, I::LANES)),
                    None => isa.load(to),
                };
                let log = exp2_domain(isa, isa.sub(score, lse));
                let mut weight = exp2_in_domain(isa, log);
                if nan {
                    // A key that is not seen still has weight 0.
                    let hidden = isa.less(score, isa.splat(f32::MIN));
                    weight = isa.select(hidden, isa.splat(0.0), weight);
                }
                isa.store(weight, to);
                if STATISTICS {
                    sums.add(isa, weight, log);
                }
            }
        }
        if STATISTICS {
            partial.end_word(isa, r, w, &mut sums);
        }
    }
    if STATISTICS {
        partial.end_row(isa, r, lines, sums);
    }
}
