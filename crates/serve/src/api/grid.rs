//! Every head as a small picture with its statistics, one line a head as they are done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Path, State};
use axum::response::Response;
use lookback_view::grid;

use super::ApiError;
use super::stream::{Lines, lines};
use crate::reading::Ready;
use crate::server::App;

pub(super) async fn grid(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let ready = app.library.find(&id)?.get()?;
    let (lines, answer) = lines();
    app.work
        .stream(move |cancel| draw(&ready, &lines, cancel))
        .await?;
    Ok(answer)
}

fn draw(ready: &Ready, lines: &Lines, cancel: &AtomicBool) {
    for layer in 0..ready.trace.layer_count() {
        if cancel.load(Ordering::Relaxed) {
            return;
        }
        let sent = match grid::pictures(&ready.trace, layer) {
            Ok(pictures) => pictures.iter().try_for_each(|picture| lines.send(picture)),
            Err(error) => lines.send(&serde_json::json!({ "error": error.to_string() })),
        };
        if sent.is_err() {
            return;
        }
    }
}
