//! The heads' scores that need no text.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::request;
use crate::app::App;
use crate::failure::Failure;
use crate::scores::{HeadScores, State as ScoresState};

#[derive(Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(super) enum Status {
    None,
    Computing { done: usize, of: usize },
    Ready { heads: Vec<HeadScores> },
    Failed { error: String },
}

/// The question: an empty object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// How far they are.
pub(super) async fn state(State(app): State<Arc<App>>) -> Json<Status> {
    Json(status(&app))
}

/// Begins to compute them, unless they are there.
pub(super) async fn begin(
    State(app): State<Arc<App>>,
    body: Result<Json<Nothing>, JsonRejection>,
) -> Result<(StatusCode, Json<Status>), ApiError> {
    request::sent(body)?;
    let model = app.traces.model.as_ref().ok_or(Failure::NeedsModel)?;
    app.scores.begin(&app.queue, model.model.clone());
    let status = status(&app);
    let code = match status {
        Status::Ready { .. } => StatusCode::OK,
        _ => StatusCode::ACCEPTED,
    };
    Ok((code, Json(status)))
}

fn status(app: &App) -> Status {
    match app.scores.state() {
        ScoresState::None => Status::None,
        ScoresState::Computing { done, of } => Status::Computing { done, of },
        ScoresState::Ready(heads) => Status::Ready {
            heads: heads.to_vec(),
        },
        ScoresState::Failed(error) => Status::Failed {
            error: error.to_string(),
        },
    }
}
