//! How near recomputed weights are to the truth.

use std::f64::consts::{LN_2, LOG2_E};

use crate::Trace;

/// Up to this, how far a row's sum may be from 1 is not worth a word.
const NEGLIGIBLE: f64 = 1e-4;

/// How near a trace's weights are to the truth, given that scores and log-sum-exps are f32. See [`Trace::precision`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Precision {
    /// The largest |log-sum-exp| of any query, about the largest |score|.
    pub largest_lse: f32,
    /// How far the sum of a row's weights may be from 1 (or from 1 less a sink's weight), and so by what part of itself each of
    /// them may be off.
    pub row_sum_error: f64,
}

impl Trace {
    /// How near this trace's weights are to the truth.
    ///
    /// A weight is exp(score − lse). An f32 near x is off by up to half a unit in its last place, 3·10⁻⁵ below 1,024 and ½ near
    /// 10⁷, and the exponential makes a factor of that. So rows sum to 1 within 10⁻⁴ while |lse| is below 1,024, whatever else
    /// rounding does; beyond, this says by how much they may not, and [`Precision::note`] puts it in words. No weight is ever
    /// above 1. Looks at each log-sum-exp once.
    #[must_use]
    pub fn precision(&self) -> Precision {
        let heads = self.layers().iter().flat_map(|layer| {
            let lse = &layer.lse;
            (0..lse.heads).map(|head| lse.vector(head))
        });
        let largest_lse = heads
            .flatten()
            .filter(|lse| lse.is_finite())
            .fold(0.0, |largest: f32, lse| largest.max(lse.abs()));
        Precision::of_lse(largest_lse)
    }
}

impl Precision {
    /// Of rows whose |log-sum-exp| is at most this.
    fn of_lse(largest_lse: f32) -> Self {
        let in_log2 = f64::from(largest_lse) * LOG2_E;
        // The LSE is rounded when it is stored and when it is put into log₂ units; the f32 nearest to log₂e is off by 1.3·10⁻⁸.
        let error = half_unit(largest_lse) + half_unit(in_log2 as f32) * LN_2;
        let error = error + 1.4e-8 * f64::from(largest_lse);
        Self {
            largest_lse,
            row_sum_error: error.exp_m1(),
        }
    }

    /// What to say of it where it is worth a word: where rows may not sum to 1 within 10⁻⁴.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let error = self.row_sum_error;
        if error <= NEGLIGIBLE {
            return None;
        }
        let by = match error < 0.1 {
            true => format!("to within {:.2}%", 100.0 * error),
            false if error < 100.0 => format!("to within a factor of {:.1}", 1.0 + error),
            false => "not at all".to_owned(),
        };
        Some(format!(
            "scores reach {:.2e}: f32 can tell weights of that size of score {by}, and a row's need not sum to 1",
            self.largest_lse
        ))
    }
}

/// Half a unit in the last place of a number ≥ 0.
fn half_unit(x: f32) -> f64 {
    (f64::from(x.next_up()) - f64::from(x)) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_1024_nothing_is_said() {
        for lse in [0.0, 1.0, 700.0, 1023.9] {
            let precision = Precision::of_lse(lse);
            assert!(precision.row_sum_error < 1e-4, "{precision:?}");
            assert_eq!(precision.note(), None);
        }
    }

    #[test]
    fn beyond_it_the_note_says_how_much() {
        let note = |lse| Precision::of_lse(lse).note().unwrap();
        assert!(note(1025.0).contains("to within 0.01%"), "{}", note(1025.0));
        assert!(
            note(12_000.0).contains("to within 0.1"),
            "{}",
            note(12_000.0)
        );
        assert!(note(1.2e7).contains("a factor of"), "{}", note(1.2e7));
        assert!(note(1e12).contains("not at all"), "{}", note(1e12));
    }
}
