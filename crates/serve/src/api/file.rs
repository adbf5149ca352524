//! Answers that are meant to be kept as files.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// An answer with the name that its file gets.
pub(super) fn saved(kind: &'static str, name: &str, content: impl IntoResponse) -> Response {
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    let name = name.unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, name),
    ];
    (headers, content).into_response()
}
