//! The columns of the table of heads.

use lookback_heads::passport::Passport;
use lookback_heads::probes::ProbeScores;
use lookback_view::table::{Table, of_heads};

use super::ModelScores;

/// One row a head, in order; without `scores`, only what a text shows.
pub(crate) fn table(passports: &[Passport], scores: Option<&ModelScores>) -> Table {
    of_heads(passports, |table| {
        if let Some(scores) = scores {
            let each = |of: fn(&ProbeScores) -> f64| scores.probes.iter().map(of);
            table.real("induction", each(|s| s.induction));
            table.real("duplicate", each(|s| s.duplicate));
            table.real("previous_random", each(|s| s.previous));
            table.real("copying", scores.copying.iter().map(|c| c.copying));
        }
    })
}
