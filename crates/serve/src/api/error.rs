//! Answers that say what was wrong: the only place where a failure becomes a status.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::failure::Failure;

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
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// The question is at fault.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Failure::invalid(message).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(Body {
            error: &self.message,
        });
        (self.status, body).into_response()
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let status = match failure {
            Failure::Invalid(_) => StatusCode::BAD_REQUEST,
            Failure::NotFound(_) => StatusCode::NOT_FOUND,
            Failure::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Failure::Forbidden(_) => StatusCode::FORBIDDEN,
            Failure::NeedsModel
            | Failure::NoPredictions
            | Failure::Cancelled
            | Failure::NotReady => StatusCode::CONFLICT,
            Failure::Busy(_) | Failure::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Failure::Damaged(_) | Failure::Defect => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, failure.to_string())
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid(rejection.body_text())
    }
}

impl From<lookback_heads::Error> for ApiError {
    fn from(error: lookback_heads::Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<lookback_model::Error> for ApiError {
    fn from(error: lookback_model::Error) -> Self {
        Failure::from(error).into()
    }
}
