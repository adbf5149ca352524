//! The walk through the notes for one head and word.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use lookback_heads::explain::{ExplainOptions, explain};
use serde::Deserialize;

use super::ApiError;
use crate::server::App;

/// Rows and columns of a matrix that are shown.
const ENTRIES: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    head: String,
    /// The word whose row is followed, as an index into the trace's words.
    word: Option<usize>,
}

pub(super) async fn steps(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let asked = super::asked(query)?;
    let head = super::head(&asked.head)?;
    let model = app
        .library
        .model
        .clone()
        .ok_or_else(ApiError::needs_model)?;
    let ready = app.library.find(&id)?.get()?;
    let words = ready.trace.words();
    let word = match asked.word {
        Some(word) if word >= words.len() => {
            return Err(ApiError::no_such_word(word, words.len()));
        }
        // Words that occur more than once are named with their number, and so is one that holds a `#`.
        Some(word) => Some(lookback_heads::label(words, word).parse()?),
        None => None,
    };
    let options = ExplainOptions {
        head,
        word,
        model_name: model.name.clone(),
        entries: ENTRIES,
    };
    let walk = app
        .work
        .run(move |_| Ok(explain(&model.model, &ready.encoding(), &options)?))
        .await?;
    Ok(Json(walk).into_response())
}
