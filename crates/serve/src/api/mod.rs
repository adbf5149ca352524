//! The interface under `/api/1/`; `docs/api.md` describes it.

mod error;
mod generate;
mod grid;
mod interventions;
mod numbers;
mod picture;
mod predict;
mod profiles;
mod scores;
mod session;
mod steps;
mod stream;
mod tile;
mod token_attention;
mod traces;
mod who;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::extract::Query;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::routing::{get, post};
use axum::{Json, Router};
use lookback_trace::HeadId;

pub(crate) use error::ApiError;

use crate::server::App;
use crate::{assets, guard, library};

/// Bytes of a body: a text whose every byte JSON escapes in six, and what stands around it.
pub(crate) const BODY_BYTES: usize = 6 * library::TEXT_BYTES + 4096;

/// Everything that the server answers.
pub(crate) fn router(app: Arc<App>) -> Router {
    let trace = Router::new()
        .route("/", get(traces::state).delete(traces::cancel))
        .route("/token-attention", get(token_attention::token_attention))
        .route("/heads/{head}/tile", get(tile::tile))
        .route("/heads/{head}/row", get(numbers::row))
        .route("/heads/{head}/weights.json", get(numbers::json))
        .route("/heads/{head}/weights.csv", get(numbers::csv))
        .route("/heads/{head}/weights.npy", get(numbers::npy))
        .route("/heads/{head}/map.svg", get(picture::map_svg))
        .route("/heads/{head}/map.png", get(picture::map_png))
        .route("/text.svg", get(picture::text_svg))
        .route("/text.png", get(picture::text_png))
        .route("/page.html", get(picture::page))
        .route("/grid", get(grid::grid))
        .route("/profiles", get(profiles::profiles))
        .route("/statistics/{file}", get(profiles::table))
        .route("/who", post(who::who))
        .route("/predict", post(predict::predict))
        .route("/steps", get(steps::steps));
    let api = Router::new()
        .route("/session", get(session::session))
        .route("/traces", post(traces::read))
        .route("/scores", get(scores::state).post(scores::begin))
        .route("/generate", post(generate::generate))
        .nest("/traces/{id}", trace)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method);
    Router::new()
        .route("/", get(assets::index))
        .route("/app.js", get(assets::script))
        .route("/app.css", get(assets::style))
        .route("/icon.svg", get(assets::icon))
        .nest("/api/1", api)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(axum::middleware::from_fn_with_state(
            app.clone(),
            guard::guard,
        ))
        .with_state(app)
}

async fn no_such_path() -> ApiError {
    ApiError::new(
        axum::http::StatusCode::NOT_FOUND,
        "there is nothing at this path; docs/api.md lists the paths",
    )
}

async fn no_such_method() -> ApiError {
    ApiError::new(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "this path does not take that method; docs/api.md lists them",
    )
}

/// A query as it was asked, or what is wrong with it.
fn asked<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ApiError> {
    query
        .map(|Query(asked)| asked)
        .map_err(|rejection| ApiError::bad(rejection.body_text()))
}

/// A body as it was sent, or what is wrong with it.
fn sent<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, ApiError> {
    body.map(|Json(sent)| sent)
        .map_err(|rejection| ApiError::new(rejection.status(), rejection.body_text()))
}

/// One head by its name: `5.10` or `L5H10`.
fn head(name: &str) -> Result<HeadId, ApiError> {
    Ok(lookback_heads::head::parse(name)?)
}

/// Several heads, separated by commas; an empty text is none.
fn heads(names: &str) -> Result<Vec<HeadId>, ApiError> {
    names
        .split(',')
        .filter(|name| !name.is_empty())
        .map(head)
        .collect()
}
