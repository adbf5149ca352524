//! Texts: read one, see how far it is, stop reading it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use lookback_view::page::Description;
use serde::{Deserialize, Serialize};

use super::ApiError;
use super::interventions::WrittenInterventions;
use crate::reading::{Reading, State as ReadingState};
use crate::server::App;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Read {
    text: String,
    #[serde(default)]
    changes: WrittenInterventions,
}

/// Where a text stands.
#[derive(Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum Status {
    Reading {
        id: String,
        done: usize,
        layers: usize,
    },
    Ready {
        id: String,
        seconds: Option<f64>,
        changes: WrittenInterventions,
        trace: Box<Description>,
    },
    Failed {
        id: String,
        error: String,
    },
}

/// Reads a text, or says that it was read.
pub(super) async fn read(
    State(app): State<Arc<App>>,
    body: Result<Json<Read>, JsonRejection>,
) -> Result<Response, ApiError> {
    let read = super::sent(body)?;
    let reading = app.library.read(read.text, read.changes.read()?, &app)?;
    let answer = Json(status(&reading));
    let code = if reading.is_reading() {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok((code, answer).into_response())
}

/// Where a text stands.
pub(super) async fn state(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(Json(status(&*app.library.find(&id)?)).into_response())
}

/// Stops reading a text; does nothing where it is read already.
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.library.find(&id)?.cancel.store(true, Ordering::Relaxed);
    Ok(StatusCode::NO_CONTENT)
}

fn status(reading: &Reading) -> Status {
    let id = reading.id.clone();
    match reading.state() {
        ReadingState::Reading { done, layers } => Status::Reading { id, done, layers },
        ReadingState::Failed(error) => Status::Failed {
            id,
            error: error.message().to_owned(),
        },
        ReadingState::Ready(ready) => {
            let trace = Box::new(Description::new(&ready.trace, &ready.prefix));
            Status::Ready {
                id,
                seconds: ready.seconds,
                changes: WrittenInterventions::of(&reading.changes),
                trace,
            }
        }
    }
}
