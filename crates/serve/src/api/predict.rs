//! What the model expects behind a text, under the trace's changes and without them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use lookback_heads::prediction::{Prediction, PredictionOptions, predict as predicted};
use serde::Deserialize;

use super::ApiError;
use crate::server::App;
use crate::work::Cancel;

/// Continuations, and characters of each and of the probe, at most.
const MOST_CONTINUATIONS: usize = 16;
const MOST_BYTES: usize = 4096;

/// Next tokens at most.
const MOST_TOKENS: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    probe: String,
    #[serde(default)]
    continuations: Vec<String>,
    #[serde(default = "default_top")]
    top: usize,
}

fn default_top() -> usize {
    8
}

impl Asked {
    fn check(&self) -> Result<(), ApiError> {
        let long = |text: &String| text.len() > MOST_BYTES;
        if self.continuations.len() > MOST_CONTINUATIONS || self.top > MOST_TOKENS {
            return Err(ApiError::bad(format!(
                "at most {MOST_CONTINUATIONS} continuations and {MOST_TOKENS} next tokens are given"
            )));
        }
        if long(&self.probe) || self.continuations.iter().any(long) {
            return Err(ApiError::bad(format!(
                "a probe and a continuation have at most {MOST_BYTES} bytes"
            )));
        }
        Ok(())
    }
}

pub(super) async fn predict(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Result<Json<Asked>, JsonRejection>,
) -> Result<Json<Prediction>, ApiError> {
    let asked = super::sent(body)?;
    asked.check()?;
    let model = app
        .library
        .model
        .clone()
        .ok_or_else(ApiError::needs_model)?;
    if !model.model.has_output_head() {
        return Err(ApiError::no_predictions());
    }
    let reading = app.library.find(&id)?;
    let ready = reading.get()?;
    let options = PredictionOptions {
        prefix: app.library.prefix.clone(),
        probe: Some(asked.probe).filter(|probe| !probe.trim().is_empty()),
        continuations: asked.continuations,
        top: asked.top,
    };
    let prediction = app
        .work
        .run(move |cancel| {
            let text = &ready.trace.meta().text;
            Ok(predicted(
                &model.model,
                text,
                &reading.changes,
                &options,
                &Cancel(cancel),
            )?)
        })
        .await?;
    Ok(Json(prediction))
}
