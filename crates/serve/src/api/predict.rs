//! What the model expects behind a text, under the trace's interventions and without them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use lookback_heads::prediction::{Prediction, PredictionOptions, predict as predicted};
use serde::Deserialize;

use super::error::ApiError;
use super::request;
use crate::app::App;
use crate::failure::Failure;
use crate::queue::Cancel;

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
    fn validate(&self) -> Result<(), ApiError> {
        let long = |text: &String| text.len() > MOST_BYTES;
        if self.continuations.len() > MOST_CONTINUATIONS || self.top > MOST_TOKENS {
            return Err(ApiError::invalid(format!(
                "at most {MOST_CONTINUATIONS} continuations and {MOST_TOKENS} next tokens are given"
            )));
        }
        if long(&self.probe) || self.continuations.iter().any(long) {
            return Err(ApiError::invalid(format!(
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
    let asked = request::sent(body)?;
    asked.validate()?;
    let model = app.traces.model.clone().ok_or(Failure::NeedsModel)?;
    if !model.model.spec().predicts_next() {
        return Err(Failure::NoPredictions.into());
    }
    let job = app.traces.find(&id)?;
    let ready = job.get()?;
    let options = PredictionOptions {
        prefix: app.traces.prefix.clone(),
        probe: Some(asked.probe).filter(|probe| !probe.trim().is_empty()),
        continuations: asked.continuations,
        top: asked.top,
    };
    let prediction = app
        .queue
        .run(move |cancel| {
            let text = &ready.trace.meta().text;
            Ok(predicted(
                &model.model,
                text,
                &job.interventions,
                &options,
                &Cancel(cancel),
            )?)
        })
        .await?;
    Ok(Json(prediction))
}
