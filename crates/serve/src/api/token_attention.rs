//! What a word or token gives and receives.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use lookback_heads::token_attention::{TokenAttention, TokenAttentionOptions, Unit};
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::request;
use crate::app::App;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    unit: Unit,
    index: usize,
    #[serde(default)]
    heads: String,
    #[serde(default)]
    keep_prefix: bool,
    above: Option<f32>,
    target: Option<usize>,
}

#[derive(Serialize)]
pub(super) struct Answer {
    #[serde(flatten)]
    answer: TokenAttention,
    /// `excluded` under its name in earlier versions.
    set_aside: Vec<usize>,
}

impl Asked {
    pub(super) fn of(
        unit: Unit,
        index: usize,
        heads: String,
        keep_prefix: bool,
        above: Option<f32>,
    ) -> Self {
        Self {
            unit,
            index,
            heads,
            keep_prefix,
            above,
            target: None,
        }
    }

    pub(super) fn options(&self) -> Result<TokenAttentionOptions, ApiError> {
        if self
            .above
            .is_some_and(|above| !(0.0..=1.0).contains(&above))
        {
            return Err(ApiError::invalid("above is a weight from 0 to 1"));
        }
        Ok(TokenAttentionOptions {
            unit: self.unit,
            heads: request::heads(&self.heads)?,
            keep_prefix: self.keep_prefix,
            above: self.above,
            target: self.target,
            listed: None,
        })
    }
}

pub(super) async fn token_attention(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Answer>, ApiError> {
    let asked = request::asked(query)?;
    let options = asked.options()?;
    let ready = app.traces.find(&id)?.get()?;
    let answer = app
        .queue
        .run(move |cancel| {
            Ok(TokenAttention::new(
                &ready.trace,
                asked.index,
                &options,
                cancel,
            )?)
        })
        .await?;
    Ok(Json(Answer {
        set_aside: answer.excluded.clone(),
        answer,
    }))
}
