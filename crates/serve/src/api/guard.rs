//! Who may ask: requests that name this server, from pages of this server, with its token.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::error::ApiError;
use super::login;
use crate::app::App;
use crate::failure::Failure;
use crate::hosts::Hosts;
use crate::places::{Answering, Place};
use crate::trace_cache;

/// Bytes of a body: a text whose every byte JSON escapes in six, and what else it says.
const BODY_BYTES: usize = 6 * trace_cache::TEXT_BYTES + 4096;

/// What the page may load and do: its own files, and nothing of anybody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Lets through what may ask, and says to the browser what the answer may do.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let place = request.extensions().get::<Arc<Place>>().cloned();
    let mut response = match admit(&app, request).await {
        Err(refusal) => refusal.into_response(),
        Ok(request) => {
            // The request is all here: from now on it is the server that is waited for.
            let answering = place.as_ref().map(Place::answering);
            next.run(request).await.map(|body| {
                Body::new(Held {
                    body,
                    _answering: answering,
                })
            })
        }
    };
    protect(response.headers_mut());
    response
}

/// The request with its body, where it may be answered.
async fn admit(app: &App, request: Request) -> Result<Request, ApiError> {
    validate(&app.hosts, &request)?;
    let is_post = request.method() == Method::POST;
    if is_post && !is_json(request.headers()) {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a body is JSON: send it with the header Content-Type: application/json",
        ));
    }
    // The page itself is no secret: it asks for the token where it has none.
    if request.uri().path().starts_with("/api/") && !login::is_in(app, request.headers()) {
        return Err(login::needed());
    }
    if !is_post {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let body = tokio::time::timeout(app.limits.body, whole(body)).await;
    let late = |_| {
        let seconds = app.limits.body.as_secs();
        let message = format!("the body did not arrive within {seconds} seconds");
        ApiError::new(StatusCode::REQUEST_TIMEOUT, message)
    };
    let body = body.map_err(late)??;
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// A body once all of it is here.
async fn whole(body: Body) -> Result<Bytes, ApiError> {
    match Limited::new(body, BODY_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large().into()),
        Err(error) => Err(ApiError::invalid(format!("the body broke off: {error}"))),
    }
}

fn too_large() -> Failure {
    Failure::TooLarge(format!("a body has at most {BODY_BYTES} bytes"))
}

/// Whether this request may be answered, or why not.
fn validate(hosts: &Hosts, request: &Request) -> Result<(), ApiError> {
    let headers = request.headers();
    let forbidden = |message: String| Err(Failure::Forbidden(message).into());
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    let named = single(headers, header::HOST)?;
    let host = named.or(authority).unwrap_or("");
    if !hosts.know(host) {
        return forbidden(format!(
            "{host:?} is not this server: use the address that it printed"
        ));
    }
    // A target may be a whole address, which then counts: it must be the same one.
    if let Some(authority) = authority
        && !authority.eq_ignore_ascii_case(host)
    {
        return forbidden(format!(
            "{authority:?} is asked for at {host:?}: use the address that the server printed"
        ));
    }
    if let Some(origin) = single(headers, header::ORIGIN)?
        && origin
            .strip_prefix("http://")
            .is_none_or(|origin| !hosts.know(origin) || origin != host)
    {
        return forbidden(format!(
            "{origin:?} is another site, which may not ask this server"
        ));
    }
    let announced = single(headers, header::CONTENT_LENGTH)?;
    let announced = announced.and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES as u64) {
        return Err(too_large().into());
    }
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let foreign = matches!(site, Some(b"cross-site" | b"same-site"));
    // A link on another site may open the page; nothing else of that site may come here.
    let opens_page = request.method() == Method::GET && request.uri().path() == "/";
    if foreign && !opens_page {
        return forbidden("another site may not ask this server".to_owned());
    }
    Ok(())
}

/// A header that is there once, or not at all.
fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(&name).iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(ApiError::invalid(format!(
            "the header {name} is there more than once"
        ))),
        (value, _) => Ok(value.map(|value| value.to_str().unwrap_or("?"))),
    }
}

/// Whether a body is said to be JSON, and nothing but JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    let (kind, more) = (kinds.next(), kinds.next());
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    more.is_none() && essence.eq_ignore_ascii_case("application/json")
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

/// An answer's body, whose connection is being answered until it is sent.
struct Held {
    body: Body,
    _answering: Option<Answering>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
