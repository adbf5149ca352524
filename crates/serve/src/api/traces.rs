//! Texts: read one, see how far it is, stop reading it.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use lookback_view::page::Description;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::interventions::WrittenInterventions;
use super::request;
use crate::app::App;
use crate::trace_job::{State as JobState, TraceJob};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Read {
    text: String,
    /// Its name in earlier versions is read too.
    #[serde(default, alias = "changes")]
    interventions: WrittenInterventions,
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
        interventions: WrittenInterventions,
        /// The same under its name in earlier versions.
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
    let read = request::sent(body)?;
    let job = app.traces.read(read.text, read.interventions.read()?)?;
    let answer = Json(status(&job));
    let code = if job.is_reading() {
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
    Ok(Json(status(&*app.traces.find(&id)?)).into_response())
}

/// Stops reading a text; does nothing where it is read already.
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.traces.find(&id)?.cancel();
    Ok(StatusCode::NO_CONTENT)
}

fn status(job: &TraceJob) -> Status {
    let id = job.id.clone();
    match job.state() {
        JobState::Reading { done, layers } => Status::Reading { id, done, layers },
        JobState::Failed(error) => Status::Failed {
            id,
            error: error.to_string(),
        },
        JobState::Ready(ready) => {
            let trace = Box::new(Description::new(&ready.trace, &ready.prefix));
            Status::Ready {
                id,
                seconds: ready.seconds,
                interventions: WrittenInterventions::of(&job.interventions),
                changes: WrittenInterventions::of(&job.interventions),
                trace,
            }
        }
    }
}
