//! The page's address with the token, and the cookie that it leaves.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::error::ApiError;
use super::request;
use crate::app::App;
use crate::assets;

/// What may stand in the page's address.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    token: Option<String>,
    /// How the page paints maps; it reads that itself.
    paint: Option<Paint>,
}

#[derive(Deserialize, Clone, Copy)]
enum Paint {
    #[serde(rename = "2d")]
    Canvas,
    #[serde(rename = "webgl")]
    WebGl,
}

/// The page. With a token in its address it leads to the address without, so that the token stands in no history or link;
/// what stands behind the `#` comes along, as browsers keep it.
pub(super) async fn index(
    State(app): State<Arc<App>>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let asked = request::asked(query)?;
    let Some(token) = asked.token else {
        return Ok(assets::index());
    };
    let page = match asked.paint {
        None => "/",
        Some(Paint::Canvas) => "/?paint=2d",
        Some(Paint::WebGl) => "/?paint=webgl",
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::LOCATION, HeaderValue::from_static(page));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Where the token is another one, the page says what it needs, or is let in already.
    if app.access.opens(&token)
        && let Some(token) = app.access.token()
    {
        let cookie = format!(
            "{}={token}; Path=/; HttpOnly; SameSite=Strict",
            cookie_name(&app)
        );
        let cookie = HeaderValue::from_str(&cookie)
            .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        headers.insert(header::SET_COOKIE, cookie);
    }
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// Whether a request shows the token: in the page's cookie, or as a program does in `Authorization`.
pub(super) fn is_in(app: &App, headers: &HeaderMap) -> bool {
    if app.access.token().is_none() {
        return true;
    }
    let name = cookie_name(app);
    let cookies = headers.get_all(header::COOKIE).iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok());
    let mut shown = cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .filter(|(of, _)| *of == name)
        .map(|(_, token)| token);
    let bearer = headers.get(header::AUTHORIZATION);
    let bearer = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    shown.any(|token| app.access.allows(token)) || bearer.is_some_and(|b| app.access.allows(b))
}

/// What a request without the token gets.
pub(super) fn needed() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "this server wants its token: open the address that it printed, or send the header \
         Authorization: Bearer TOKEN",
    )
}

/// Cookies know no ports: servers that run beside each other have one each.
fn cookie_name(app: &App) -> String {
    format!("lookback-{}", app.port)
}
