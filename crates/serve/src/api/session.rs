//! What this server can do, and what the page begins with.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::app::App;
use crate::trace_cache::TEXT_BYTES;

#[derive(Serialize)]
pub(super) struct Session<'a> {
    version: &'static str,
    /// The text that the page begins with.
    trace: &'a str,
    /// None where only a trace can be looked at.
    model: Option<ModelInfo<'a>>,
    text_bytes: usize,
}

#[derive(Serialize)]
struct ModelInfo<'a> {
    name: &'a str,
    sha256: &'a str,
    layers: usize,
    heads: usize,
    context_length: usize,
    /// Whether it says what comes next.
    predicts: bool,
}

pub(super) async fn session(State(app): State<Arc<App>>) -> axum::response::Response {
    use axum::response::IntoResponse as _;
    let model = app.traces.model.as_ref().map(|named| {
        let spec = named.model.spec();
        ModelInfo {
            name: &named.name,
            sha256: &named.sha256,
            layers: spec.layers.len(),
            heads: spec.heads,
            context_length: spec.context_length,
            predicts: named.model.spec().predicts_next(),
        }
    });
    let session = Session {
        version: env!("CARGO_PKG_VERSION"),
        trace: &app.traces.first().id,
        model,
        text_bytes: TEXT_BYTES,
    };
    Json(session).into_response()
}
