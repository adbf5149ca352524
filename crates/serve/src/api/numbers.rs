//! One head's weights as data.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use lookback_trace::HeadId;
use lookback_view::npy;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::{file, request, tile};
use crate::app::App;

/// Weights in one answer at most: 16 MB of numbers.
const MOST: usize = 1 << 22;

/// Which weights; all where nothing is said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    from_row: usize,
    to_row: Option<usize>,
    #[serde(default)]
    from_col: usize,
    to_col: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    query: usize,
}

type AskedQuery = Result<Query<Asked>, QueryRejection>;

/// A rectangle of weights.
struct Weights {
    id: HeadId,
    rows: Range<usize>,
    cols: Range<usize>,
    weights: Array2<f32>,
}

#[derive(Serialize)]
struct AsJson {
    layer: usize,
    head: usize,
    rows: [usize; 2],
    cols: [usize; 2],
    weights: Vec<Vec<f32>>,
}

/// One query's weights over all keys, as little-endian f32.
pub(super) async fn row(
    State(app): State<Arc<App>>,
    Path((id, head)): Path<(String, String)>,
    query: Result<Query<Row>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Row { query } = request::asked(query)?;
    let head = request::head(&head)?;
    let ready = app.traces.find(&id)?.get()?;
    let row = app
        .queue
        .run(move |_| Ok(ready.trace.row(head.layer, head.head, query)?))
        .await?;
    Ok(tile::binary(&row.to_vec()))
}

pub(super) async fn json(
    State(app): State<Arc<App>>,
    Path((id, head)): Path<(String, String)>,
    query: AskedQuery,
) -> Result<Response, ApiError> {
    let Weights {
        id,
        rows,
        cols,
        weights,
    } = weights(&app, (&id, &head), query).await?;
    let answer = AsJson {
        layer: id.layer,
        head: id.head,
        rows: [rows.start, rows.end],
        cols: [cols.start, cols.end],
        weights: weights.outer_iter().map(|row| row.to_vec()).collect(),
    };
    Ok(saved(id, "json", "application/json", Json(answer)))
}

/// One line a weight that is not 0: query, key, weight.
pub(super) async fn csv(
    State(app): State<Arc<App>>,
    Path((id, head)): Path<(String, String)>,
    query: AskedQuery,
) -> Result<Response, ApiError> {
    let Weights {
        id,
        rows,
        cols,
        weights,
    } = weights(&app, (&id, &head), query).await?;
    let mut lines = String::from("layer,head,query,key,weight\n");
    for ((i, j), weight) in weights.indexed_iter().filter(|(_, weight)| **weight != 0.0) {
        // Writing to a string does not fail.
        let _ = writeln!(
            lines,
            "{},{},{},{},{weight}",
            id.layer,
            id.head,
            rows.start + i,
            cols.start + j
        );
    }
    Ok(saved(id, "csv", "text/csv; charset=utf-8", lines))
}

/// NumPy's format, version 1.0: f32, little-endian, rows × columns.
pub(super) async fn npy(
    State(app): State<Arc<App>>,
    Path((id, head)): Path<(String, String)>,
    query: AskedQuery,
) -> Result<Response, ApiError> {
    let Weights { id, weights, .. } = weights(&app, (&id, &head), query).await?;
    let (rows, cols) = weights.dim();
    let mut file = npy::header("<f4", &[rows, cols]);
    file.extend(weights.iter().flat_map(|weight| weight.to_le_bytes()));
    Ok(saved(id, "npy", "application/octet-stream", file))
}

/// The answer as a file.
fn saved(id: HeadId, extension: &str, kind: &'static str, content: impl IntoResponse) -> Response {
    let name = format!("weights-L{}H{}.{extension}", id.layer, id.head);
    file::saved(kind, &name, content)
}

async fn weights(
    app: &App,
    (id, head): (&str, &str),
    query: AskedQuery,
) -> Result<Weights, ApiError> {
    let asked = request::asked(query)?;
    let head = request::head(head)?;
    let ready = app.traces.find(id)?.get()?;
    let (n, m) = (ready.trace.n(), ready.trace.m());
    let (rows, cols) = (
        asked.from_row..asked.to_row.unwrap_or(n),
        asked.from_col..asked.to_col.unwrap_or(m),
    );
    if rows.len().saturating_mul(cols.len()) > MOST {
        return Err(ApiError::invalid(format!(
            "{} × {} weights are more than the {MOST} of one answer; ask for fewer with from_row, to_row, from_col, to_col",
            rows.len(),
            cols.len()
        )));
    }
    let answer = app
        .queue
        .run(move |_| {
            let weights = ready
                .trace
                .weights(head.layer, head.head, rows.clone(), cols.clone())?;
            Ok(Weights {
                id: head,
                rows,
                cols,
                weights,
            })
        })
        .await?;
    Ok(answer)
}
