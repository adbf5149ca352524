//! Answers that say what was wrong.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Why there is no answer: a status, and one sentence.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// The question is at fault.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// What is asked needs a model, and there is none.
    pub(crate) fn needs_model() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "this needs a model, and the server has only a trace: start it with --trace and --model together",
        )
    }

    /// What is asked is what comes next, and the model does not say.
    pub(crate) fn no_predictions() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "this model points at words and predicts none, so there is nothing to continue",
        )
    }

    /// The text has no such word.
    pub(crate) fn no_such_word(word: usize, words: usize) -> Self {
        Self::bad(format!(
            "there is no word {word}: the text has {words}, from 0"
        ))
    }

    /// What is wrong, in one sentence.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (
            self.status,
            Json(Body {
                error: &self.message,
            }),
        )
            .into_response()
    }
}

impl From<lookback_heads::Error> for ApiError {
    fn from(error: lookback_heads::Error) -> Self {
        use lookback_heads::Error;
        match error {
            Error::Trace(error) => error.into(),
            Error::Model(error) => error.into(),
            error => Self::bad(error.to_string()),
        }
    }
}

impl From<lookback_trace::Error> for ApiError {
    fn from(error: lookback_trace::Error) -> Self {
        use lookback_trace::Error;
        let status = match error {
            Error::NotAWeight { .. } | Error::BadNumber { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}

impl From<lookback_model::Error> for ApiError {
    fn from(error: lookback_model::Error) -> Self {
        Self::bad(error.to_string())
    }
}

impl From<lookback_model::tokenizer::Error> for ApiError {
    fn from(error: lookback_model::tokenizer::Error) -> Self {
        Self::bad(error.to_string())
    }
}

impl From<lookback_view::Error> for ApiError {
    fn from(error: lookback_view::Error) -> Self {
        use lookback_view::Error;
        match error {
            Error::Trace(error) => error.into(),
            error => Self::bad(error.to_string()),
        }
    }
}
