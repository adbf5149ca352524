//! Who may ask: requests that name this server, from pages of this server.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::{ApiError, BODY_BYTES};
use crate::server::App;

/// What the page may load and do: its own files, and nothing of anybody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
    connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The names by which this server may be addressed, each with its port.
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn of(address: SocketAddr) -> Self {
        let port = address.port();
        let mut hosts = vec![address.to_string()];
        if address.ip().is_loopback() || address.ip().is_unspecified() {
            hosts.extend(["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")));
        }
        Self(hosts)
    }

    /// A `Host` that is this server's. On all addresses, any address of digits is: names are what DNS can rebind.
    fn know(&self, host: &str) -> bool {
        let literal = || {
            let listens_everywhere =
                self.0[0].starts_with("0.0.0.0:") || self.0[0].starts_with("[::]:");
            listens_everywhere && host.parse::<SocketAddr>().is_ok()
        };
        self.0.iter().any(|known| known.eq_ignore_ascii_case(host)) || literal()
    }
}

/// Lets through what may ask, and says to the browser what the answer may do.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = match refusal(&app.hosts, &request) {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    };
    protect(response.headers_mut());
    response
}

/// Why this request is not answered.
fn refusal(hosts: &Hosts, request: &Request) -> Option<ApiError> {
    let header = |name| {
        request
            .headers()
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or("?"))
    };
    let forbidden = |message: String| Some(ApiError::new(StatusCode::FORBIDDEN, message));
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
        return Some(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message));
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
    None
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
