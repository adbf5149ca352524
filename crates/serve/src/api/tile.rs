//! Tiles of one head's map: 256 × 256 cells at any zoom, as little-endian f32.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use lookback_view::pooled::{self, Pool};
use serde::Deserialize;

use super::error::ApiError;
use super::request;
use crate::app::App;
use crate::failure::Failure;
use crate::tiles::{Cells, Key, SIDE};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    zoom: u32,
    row: usize,
    col: usize,
    #[serde(default)]
    pool: Pool,
}

pub(super) async fn tile(
    State(app): State<Arc<App>>,
    Path((id, head)): Path<(String, String)>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Asked {
        zoom,
        row,
        col,
        pool,
    } = request::asked(query)?;
    let key = Key {
        head: request::head(&head)?,
        zoom,
        row,
        col,
        pool,
    };
    let ready = app.traces.find(&id)?.get()?;
    if let Some(cells) = ready.tiles.get(&key) {
        return Ok(binary(&cells));
    }
    let cells = app
        .queue
        .run(move |cancel| {
            let head = ready.trace.head(key.head.layer, key.head.head)?;
            let rows = covered(key.row, zoom, head.n())?;
            let cols = covered(key.col, zoom, head.n())?;
            let area = pooled::Area {
                rows,
                cols,
                cell: 1 << zoom,
            };
            let cells = pooled::pooled(&head, &area, pool, cancel)?;
            let cells: Cells = Arc::new(cells.into_raw_vec_and_offset().0);
            ready.tiles.keep(key, &cells);
            Ok(cells)
        })
        .await?;
    Ok(binary(&cells))
}

/// The tokens that tile `at` covers.
fn covered(at: usize, zoom: u32, n: usize) -> Result<std::ops::Range<usize>, Failure> {
    let whole = n.div_ceil(SIDE).next_power_of_two().trailing_zeros();
    if zoom > whole {
        return Err(Failure::invalid(format!(
            "zoom {zoom} is beyond {whole}, where one tile covers all {n} tokens"
        )));
    }
    let span = SIDE << zoom;
    let start = at
        .checked_mul(span)
        .filter(|&start| start < n)
        .ok_or_else(|| {
            Failure::invalid(format!(
                "there is no tile {at}: at zoom {zoom} the {n} tokens have tiles 0 to {}",
                (n - 1) / span
            ))
        })?;
    Ok(start..(start + span).min(n))
}

/// Numbers as a browser takes them into a `Float32Array`.
pub(super) fn binary(cells: &[f32]) -> Response {
    let bytes: Vec<u8> = if cfg!(target_endian = "little") {
        bytemuck::cast_slice(cells).to_vec()
    } else {
        cells.iter().flat_map(|cell| cell.to_le_bytes()).collect()
    };
    let kind = HeaderValue::from_static("application/octet-stream");
    // What a trace's name stands for never changes.
    let cache = HeaderValue::from_static("private, max-age=3600");
    (
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)],
        bytes,
    )
        .into_response()
}
