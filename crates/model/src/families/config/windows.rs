//! Windows of attention in config.json.

use serde_json::Value;

use crate::checkpoint::Error;
use crate::checkpoint::settings::Settings;
use crate::spec::Span;

/// What a window of `sliding_window` tokens is: one that reaches as far as the context changes nothing.
pub(crate) fn window_span(window: Option<usize>, context: usize) -> Span {
    match window {
        Some(window) if window < context => Span::CausalWindow { window },
        _ => Span::Causal,
    }
}

/// Which layers have a window: `layer_types`, or else what `otherwise` says of each layer.
pub(crate) fn layer_kinds(
    settings: &mut Settings,
    layers: usize,
    otherwise: impl Fn(usize) -> bool,
) -> Result<Vec<bool>, Error> {
    let Some(found) = settings.take("layer_types") else {
        return Ok((0..layers).map(otherwise).collect());
    };
    let kind = |value: &Value| match value.as_str() {
        Some("full_attention") => Some(false),
        Some("sliding_attention") => Some(true),
        _ => None,
    };
    let kinds: Option<Vec<bool>> = found
        .as_array()
        .and_then(|types| types.iter().map(kind).collect());
    kinds.filter(|kinds| kinds.len() == layers).ok_or_else(|| {
        let supported = format!("full_attention or sliding_attention for each of {layers} layers");
        settings.unsupported("layer_types", &found, &supported)
    })
}
