//! Pictures of what is seen, and the page that keeps all of it.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use lookback_heads::token_attention::TokenAttention;
use lookback_view::page::{Page, PageOptions, Plan};
use lookback_view::png;
use lookback_view::pooled::Pool;
use lookback_view::svg::{self, MapOptions, Scale, TextOptions, Theme};
use serde::Deserialize;

use super::{ApiError, token_attention};
use crate::reading::Ready;
use crate::server::App;

/// A part of the map.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Map {
    #[serde(default)]
    from_row: usize,
    to_row: Option<usize>,
    #[serde(default)]
    from_col: usize,
    to_col: Option<usize>,
    #[serde(default)]
    pool: Pool,
    #[serde(default)]
    scale: Scale,
    #[serde(default)]
    theme: Theme,
}

/// The text with one word chosen. (Fields of the other query are repeated: serde cannot flatten what a URL spells.)
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    #[serde(default)]
    unit: lookback_heads::token_attention::Unit,
    index: usize,
    #[serde(default)]
    heads: String,
    #[serde(default)]
    keep_prefix: bool,
    above: Option<f32>,
    #[serde(default)]
    theme: Theme,
}

type MapQuery = Result<Query<Map>, QueryRejection>;
type TextQuery = Result<Query<Text>, QueryRejection>;

pub(super) async fn map_svg(
    State(app): State<Arc<App>>,
    Path((id, head)): Path<(String, String)>,
    query: MapQuery,
) -> Result<Response, ApiError> {
    let svg = map(&app, (&id, &head), query).await?;
    Ok(saved(
        "image/svg+xml",
        &format!("map-{head}.svg"),
        svg.into_bytes(),
    ))
}

pub(super) async fn map_png(
    State(app): State<Arc<App>>,
    Path((id, head)): Path<(String, String)>,
    query: MapQuery,
) -> Result<Response, ApiError> {
    let svg = map(&app, (&id, &head), query).await?;
    let png = app
        .work
        .run(move |_| Ok(png::render(&svg, png::SCALE)?))
        .await?;
    Ok(saved("image/png", &format!("map-{head}.png"), png))
}

pub(super) async fn text_svg(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: TextQuery,
) -> Result<Response, ApiError> {
    let svg = text(&app, &id, query).await?;
    Ok(saved("image/svg+xml", "text.svg", svg.into_bytes()))
}

pub(super) async fn text_png(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: TextQuery,
) -> Result<Response, ApiError> {
    let svg = text(&app, &id, query).await?;
    let png = app
        .work
        .run(move |_| Ok(png::render(&svg, png::SCALE)?))
        .await?;
    Ok(saved("image/png", "text.png", png))
}

/// One file that keeps the text view and the map without a server.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let ready = app.library.find(&id)?.get()?;
    let page = app
        .work
        .run(move |cancel| {
            let plan = Plan::new(&ready.trace, &PageOptions::default(), cancel)?;
            let page = Page::new(&ready.trace, &ready.prefix, &plan, &mut |_, _| {
                go_on(cancel)
            })?;
            let mut file = Vec::new();
            page.write(&mut file)?;
            Ok(file)
        })
        .await?;
    Ok(saved("text/html; charset=utf-8", "lookback.html", page))
}

/// Ends what is not wanted any more.
fn go_on(cancel: &AtomicBool) -> ControlFlow<()> {
    match cancel.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

async fn map(app: &App, (id, head): (&str, &str), query: MapQuery) -> Result<String, ApiError> {
    let asked = super::asked(query)?;
    let head = super::head(head)?;
    let ready = app.library.find(id)?.get()?;
    let range = |from, to: Option<usize>| -> Range<usize> { from..to.unwrap_or(ready.trace.n()) };
    let options = MapOptions {
        rows: range(asked.from_row, asked.to_row),
        cols: range(asked.from_col, asked.to_col),
        pool: asked.pool,
        scale: asked.scale,
        theme: asked.theme,
    };
    app.work
        .run(move |cancel| {
            Ok(svg::map(
                &ready.trace,
                head,
                &ready.prefix,
                &options,
                cancel,
            )?)
        })
        .await
}

async fn text(app: &App, id: &str, query: TextQuery) -> Result<String, ApiError> {
    let Text {
        unit,
        index,
        heads,
        keep_prefix,
        above,
        theme,
    } = super::asked(query)?;
    let asked = token_attention::Asked::of(unit, index, heads, keep_prefix, above);
    let options = asked.options()?;
    let ready: Arc<Ready> = app.library.find(id)?.get()?;
    app.work
        .run(move |cancel| {
            let attention = TokenAttention::new(&ready.trace, index, &options, cancel)?;
            let options = TextOptions {
                unit,
                heads: options.heads,
                theme,
            };
            Ok(svg::text(
                &ready.trace,
                &attention,
                &ready.prefix,
                &options,
            )?)
        })
        .await
}

pub(super) fn saved(kind: &'static str, name: &str, content: Vec<u8>) -> Response {
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    let name = name.unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, name),
    ];
    (headers, content).into_response()
}
