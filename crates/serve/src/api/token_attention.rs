//! What a word or token gives and receives.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use lookback_heads::token_attention::{TokenAttention, TokenAttentionOptions, Unit};
use serde::Deserialize;

use super::ApiError;
use crate::server::App;

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
            return Err(ApiError::bad("above is a weight from 0 to 1"));
        }
        Ok(TokenAttentionOptions {
            unit: self.unit,
            heads: super::heads(&self.heads)?,
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
) -> Result<Json<TokenAttention>, ApiError> {
    let asked = super::asked(query)?;
    let options = asked.options()?;
    let ready = app.library.find(&id)?.get()?;
    let answer = app
        .work
        .run(move |cancel| {
            Ok(TokenAttention::new(
                &ready.trace,
                asked.index,
                &options,
                cancel,
            )?)
        })
        .await?;
    Ok(Json(answer))
}
