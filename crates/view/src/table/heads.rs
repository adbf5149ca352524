//! The table of heads.

use lookback_heads::head;
use lookback_heads::profile::{HeadProfile, ValueShares};

use super::columns::Table;

/// One row a head, in order: what a text shows. `further` may add columns behind those that tell most. The three columns that
/// weigh values are missing where the trace holds no norms of values.
///
/// ```
/// use lookback_heads::profile::profiles;
/// let trace = lookback_heads::example::Example::default().trace();
/// let table = lookback_view::table::of_heads(&profiles(&trace, &[])?, |_| ());
/// assert_eq!((table.rows(), table.columns()[3].name()), (6, "sink"));
/// # Ok::<(), lookback_heads::Error>(())
/// ```
#[must_use]
pub fn of_heads(profiles: &[HeadProfile], further: impl FnOnce(&mut Table)) -> Table {
    let mut table = Table::new();
    let each = |of: fn(&HeadProfile) -> f64| profiles.iter().map(of);
    table.text("head", profiles.iter().map(|p| head::name(p.head)));
    table.integer("layer", profiles.iter().map(|p| p.head.layer));
    table.integer("index", profiles.iter().map(|p| p.head.head));
    table.real("sink", each(|p| p.sink_share));
    table.real("entropy", each(|p| p.entropy));
    table.real("distance", each(|p| p.mean_distance));
    table.real("self", each(|p| p.self_share));
    table.real("previous", each(|p| p.previous_share));
    table.real("local", each(|p| p.local_share));
    further(&mut table);
    table.real("sink_rate", each(|p| p.sink_rate));
    table.real("special", each(|p| p.special_share));
    let values: Option<Vec<ValueShares>> = profiles.iter().map(|p| p.values).collect();
    if let Some(values) = values {
        let each = |of: fn(&ValueShares) -> f64| values.iter().map(of).collect::<Vec<_>>();
        table.real("value_sink", each(|v| v.value_sink_share));
        table.real("value_self", each(|v| v.value_self_share));
        table.real("value_previous", each(|v| v.value_previous_share));
    }
    table
}
