//! Every head as a small picture with its statistics, one line a head as they are done.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;

use super::error::ApiError;
use super::stream::{Lines, lines};
use crate::app::App;
use crate::failure::Failure;

pub(super) async fn grid(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let ready = app.traces.find(&id)?.get()?;
    let (lines, answer) = lines();
    app.queue
        .stream(move |cancel| {
            send_layers(ready.trace.layer_ids(), &lines, |layer| {
                ready.layers.pictures(&ready.trace, layer, cancel)
            });
        })
        .await?;
    Ok(answer)
}

/// Sends what each layer's heads are, one line a head, until all are sent, one fails, or nobody listens.
pub(super) fn send_layers<T: Serialize>(
    layers: &[usize],
    lines: &Lines,
    of_layer: impl Fn(usize) -> Result<Arc<[T]>, Failure>,
) {
    for &layer in layers {
        let sent = match of_layer(layer) {
            Ok(heads) => heads.iter().try_for_each(|head| lines.send(head)),
            Err(error) => {
                // Whoever is gone needs no last line.
                let _ = lines.send(&serde_json::json!({ "error": error.to_string() }));
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}
