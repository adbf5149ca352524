//! What the sink takes, and what is left when it is excluded.

use lookback_trace::Trace;

/// The weight that a learned sink takes of a row that gives its keys `on_keys`: what lacks to 1; 0 in a layer without one.
pub(crate) fn learned(trace: &Trace, layer: usize, on_keys: f64) -> f64 {
    match trace.has_sink(layer) {
        true => (1.0 - on_keys).max(0.0),
        false => 0.0,
    }
}

/// A weight as a part of the `kept` weight, the sink's excluded; 0 where the sink took all, as far as f32 can show.
pub(crate) fn share(weight: f64, kept: f64) -> f64 {
    match kept > f64::from(f32::EPSILON) {
        true => weight / kept,
        false => 0.0,
    }
}
