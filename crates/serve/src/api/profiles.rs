//! Every head's statistics on the text: as they are found, and as a table in a file.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use lookback_heads::profile::HeadProfile;
use lookback_view::table::{Kind, of_heads};

use super::error::ApiError;
use super::file;
use super::stream::{Lines, lines};
use crate::app::App;
use crate::failure::Failure;
use crate::trace_job::Ready;

/// One head a line, as they are found.
pub(super) async fn profiles(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let ready = app.traces.find(&id)?.get()?;
    let (lines, answer) = lines();
    app.queue
        .stream(move |cancel| send(&ready, &lines, cancel))
        .await?;
    Ok(answer)
}

fn send(ready: &Ready, lines: &Lines, cancel: &AtomicBool) {
    super::grid::send_layers(ready.trace.layer_ids(), lines, |layer| {
        ready.layers.profiles(&ready.trace, layer, cancel)
    });
}

/// The table that `lookback stats` saves: `heads.parquet`, `.csv`, `.json` or `.npy`.
pub(super) async fn table(
    State(app): State<Arc<App>>,
    Path((id, file)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let name = FilePath::new(&file);
    if name.file_stem().is_none_or(|stem| stem != "heads") {
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            format!("there is no table {file:?}; there is heads.parquet, .csv, .json and .npy"),
        ));
    }
    let kind = Kind::of(name).map_err(|error| ApiError::invalid(error.to_string()))?;
    let content_type = match kind {
        Kind::Json => "application/json",
        Kind::Csv => "text/csv; charset=utf-8",
        Kind::Parquet => "application/vnd.apache.parquet",
        Kind::Npy => "application/octet-stream",
    };
    let ready = app.traces.find(&id)?.get()?;
    let content = app
        .queue
        .run(move |cancel| {
            let mut all: Vec<HeadProfile> = Vec::new();
            for &layer in ready.trace.layer_ids() {
                all.extend_from_slice(&ready.layers.profiles(&ready.trace, layer, cancel)?);
            }
            let mut content = Vec::new();
            of_heads(&all, |_| ())
                .write(kind, &mut content)
                .map_err(|error| Failure::invalid(error.to_string()))?;
            Ok(content)
        })
        .await?;
    Ok(file::saved(content_type, &file, content))
}
