//! Who may ask: requests that name this server, from pages of this server.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use crate::app::App;
use crate::failure::Failure;
use crate::hosts::Hosts;
use crate::trace_cache;

/// Bytes of a body: a text whose every byte JSON escapes in six, and what else it says.
pub(super) const BODY_BYTES: usize = 6 * trace_cache::TEXT_BYTES + 4096;

/// What the page may load and do: its own files, and nothing of anybody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
    connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Lets through what may ask, and says to the browser what the answer may do.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = match validate(&app.hosts, &request) {
        Err(failure) => ApiError::from(failure).into_response(),
        Ok(()) => next.run(request).await,
    };
    protect(response.headers_mut());
    response
}

/// Whether this request may be answered, or why not.
fn validate(hosts: &Hosts, request: &Request) -> Result<(), Failure> {
    let header = |name| {
        request
            .headers()
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or("?"))
    };
    let forbidden = |message: String| Err(Failure::Forbidden(message));
    let host = header(header::HOST)
        .or_else(|| request.uri().authority().map(|a| a.as_str()))
        .unwrap_or("");
    if !hosts.know(host) {
        return forbidden(format!(
            "{host:?} is not this server: use the address that it printed"
        ));
    }
    if let Some(origin) = header(header::ORIGIN)
        && origin
            .strip_prefix("http://")
            .is_none_or(|origin| !hosts.know(origin) || origin != host)
    {
        return forbidden(format!(
            "{origin:?} is another site, which may not ask this server"
        ));
    }
    let announced = header(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES as u64) {
        let message = format!("a body has at most {BODY_BYTES} bytes");
        return Err(Failure::TooLarge(message));
    }
    let foreign = matches!(
        request
            .headers()
            .get("sec-fetch-site")
            .map(HeaderValue::as_bytes),
        Some(b"cross-site" | b"same-site")
    );
    // A link on another site may open the page; nothing else of that site may come here.
    let opens_page = request.method() == Method::GET && request.uri().path() == "/";
    if foreign && !opens_page {
        return forbidden("another site may not ask this server".to_owned());
    }
    Ok(())
}

fn protect(headers: &mut HeaderMap) {
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(
        header::HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    set(
        header::HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
}
