//! The interface under `/api/1/`; `docs/api.md` describes it.

mod error;
mod file;
mod generate;
mod grid;
mod guard;
mod interventions;
mod login;
mod numbers;
mod page;
mod picture;
mod predict;
mod profiles;
mod request;
mod scores;
mod session;
mod steps;
mod stream;
mod tile;
mod token_attention;
mod traces;
mod who;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::assets;
use error::ApiError;

/// Everything that the server answers.
pub(crate) fn router(app: Arc<App>) -> Router {
    let trace = Router::new()
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
        .route("/page.html", get(page::html))
        .route("/page.json", get(page::plan))
        .route("/steps", get(steps::steps))
        // A name that links and programs of earlier versions may hold, as `passports` below.
        .route("/around", get(token_attention::token_attention));
    let trace_without_query = Router::new()
        .route("/", get(traces::state).delete(traces::cancel))
        .route("/grid", get(grid::grid))
        .route("/profiles", get(profiles::profiles))
        .route("/passports", get(profiles::profiles))
        .route("/statistics/{file}", get(profiles::table))
        .route("/who", post(who::who))
        .route("/predict", post(predict::predict))
        .route_layer(from_fn(no_query));
    let api = Router::new()
        .route("/session", get(session::session))
        .route("/traces", post(traces::read))
        .route("/scores", get(scores::state).post(scores::begin))
        .route("/generate", post(generate::generate))
        .route_layer(from_fn(no_query))
        .nest("/traces/{id}", trace.merge(trace_without_query))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method);
    let assets = Router::new()
        .route("/app.js", get(assets::script))
        .route("/app.css", get(assets::style))
        .route("/icon.svg", get(assets::icon))
        .route_layer(from_fn(no_query));
    Router::new()
        .route("/", get(login::index))
        .merge(assets)
        .nest("/api/1", api)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        // The guard has read bodies, as long as they may be.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}

/// For paths that take no parameters.
async fn no_query(request: Request, next: Next) -> Response {
    match request.uri().query() {
        None | Some("") => next.run(request).await,
        Some(_) => ApiError::invalid("this path takes no parameters; docs/api.md lists them")
            .into_response(),
    }
}

async fn no_such_path() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "there is nothing at this path; docs/api.md lists the paths",
    )
}

async fn no_such_method() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not take that method; docs/api.md lists them",
    )
}
