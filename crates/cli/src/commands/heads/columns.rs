//! The columns of the table of heads.

use anyhow::bail;
use lookback_heads::model_scores::ModelScores;
use lookback_heads::probes::ProbeScores;
use lookback_heads::profile::HeadProfile;
use lookback_trace::quoted;
use lookback_view::svg::HeadScores;
use lookback_view::table::{Table, Values, of_heads};
use lookback_view::terminal::PARTS;

/// One row a head, in order; without `scores`, only what a text shows.
pub(in crate::commands) fn table(profiles: &[HeadProfile], scores: Option<&ModelScores>) -> Table {
    of_heads(profiles, |table| {
        if let Some(scores) = scores {
            let each = |of: fn(&ProbeScores) -> f64| scores.probes.iter().map(of);
            table.real("induction", each(|s| s.induction));
            table.real("duplicate", each(|s| s.duplicate));
            table.real("previous_random", each(|s| s.previous));
            if let Some(retrieval) = &scores.retrieval {
                table.real("retrieval", retrieval.iter().map(|r| r.retrieval));
            }
            if let Some(copying) = &scores.copying {
                table.real("copying", copying.iter().map(|c| c.copying));
            }
        }
    })
}

/// The columns that can be drawn, or those of them that are asked for.
pub(crate) fn scores(
    profiles: &[HeadProfile],
    table: &Table,
    asked: &[String],
) -> anyhow::Result<Vec<HeadScores>> {
    let real = table.columns().iter().filter_map(|c| match c.values() {
        Values::Real(values) => Some((c.name(), values)),
        _ => None,
    });
    let known: Vec<_> = real.collect();
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = asked.iter().find(|a| !names.contains(&a.as_str())) {
        bail!(
            "there is no score {} to draw; there are {}",
            quoted(unknown),
            names.join(", ")
        );
    }
    let drawn = known
        .into_iter()
        .filter(|(name, _)| asked.is_empty() || asked.iter().any(|a| a == name));
    Ok(drawn
        .map(|(name, values)| HeadScores {
            name: name.replace('_', " "),
            unit: unit(name).to_owned(),
            part: PARTS.contains(&name),
            values: profiles
                .iter()
                .map(|p| p.head)
                .zip(values.iter().copied())
                .collect(),
        })
        .collect())
}

/// What a column's numbers are.
fn unit(column: &str) -> &'static str {
    match column {
        "entropy" => "nats",
        "distance" => "tokens",
        "copying" => "−1 to 1",
        "sink_rate" => "of rows",
        "retrieval" => "of tokens",
        "value_sink" | "value_self" | "value_previous" => "of ‖αf(x)‖",
        _ => "weight",
    }
}
