//! The page's files, which are in the binary.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use lookback_view::page;

pub(crate) fn index() -> Response {
    file("text/html; charset=utf-8", page::INDEX)
}

pub(crate) async fn script() -> Response {
    file("text/javascript; charset=utf-8", page::SCRIPT)
}

pub(crate) async fn style() -> Response {
    file("text/css; charset=utf-8", page::STYLE)
}

pub(crate) async fn icon() -> Response {
    file("image/svg+xml", page::ICON)
}

/// A file that the browser asks for again each time: another version may run at this address tomorrow.
fn file(kind: &'static str, content: &'static str) -> Response {
    let kind = HeaderValue::from_static(kind);
    let cache = HeaderValue::from_static("no-cache");
    (
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)],
        content,
    )
        .into_response()
}
