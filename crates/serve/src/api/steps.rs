//! One head explained step by step for one word.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use lookback_heads::explain::{ExplainOptions, explain};
use lookback_heads::{WordName, default_head, interest};
use lookback_trace::{HeadId, Trace};
use serde::Deserialize;

use super::error::ApiError;
use super::request;
use crate::app::App;
use crate::failure::Failure;

/// Rows and columns of a matrix that are shown.
const ENTRIES: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The head that the command `explain` would choose, where none is named.
    head: Option<String>,
    /// The word whose row is followed, as an index into the trace's words.
    word: Option<usize>,
}

pub(super) async fn steps(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let asked = request::asked(query)?;
    let head = asked.head.as_deref().map(request::head).transpose()?;
    let model = app.traces.model.clone().ok_or(Failure::NeedsModel)?;
    let ready = app.traces.find(&id)?.get()?;
    let words = ready.trace.words();
    let word = match asked.word {
        Some(word) if word >= words.len() => {
            return Err(Failure::no_such_word(word, words.len()).into());
        }
        // Words that occur more than once are named with their number, and so is one that holds a `#`.
        Some(word) => Some(lookback_heads::label(words, word).parse()?),
        None => None,
    };
    let explanation = app
        .queue
        .run(move |_| {
            let head = match head {
                Some(head) => head,
                None => chosen(&ready.trace, word.as_ref())?,
            };
            let options = ExplainOptions {
                head,
                word,
                model_name: model.name.clone(),
                entries: ENTRIES,
            };
            Ok(explain(&model.model, &ready.encoding(), &options)?)
        })
        .await?;
    Ok(Json(explanation).into_response())
}

/// The head that is shown where none is named.
fn chosen(trace: &Trace, word: Option<&WordName>) -> Result<HeadId, lookback_heads::Error> {
    let named: Vec<WordName> = word.cloned().into_iter().collect();
    let word = interest(&trace.meta().text, trace.words(), &named)?.swap_remove(0);
    Ok(default_head(trace, &word)?.head)
}
