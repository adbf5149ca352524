//! Pictures of what is seen.

use std::ops::Range;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use lookback_heads::token_attention::TokenAttention;
use lookback_view::png;
use lookback_view::pooled::Pool;
use lookback_view::svg::{self, MapOptions, Scale, TextOptions, Theme};
use serde::Deserialize;

use super::error::ApiError;
use super::file::saved;
use super::{request, token_attention};
use crate::app::App;
use crate::trace_job::Ready;

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
        .queue
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
        .queue
        .run(move |_| Ok(png::render(&svg, png::SCALE)?))
        .await?;
    Ok(saved("image/png", "text.png", png))
}

async fn map(app: &App, (id, head): (&str, &str), query: MapQuery) -> Result<String, ApiError> {
    let asked = request::asked(query)?;
    let head = request::head(head)?;
    let ready = app.traces.find(id)?.get()?;
    let range = |from, to: Option<usize>, of| -> Range<usize> { from..to.unwrap_or(of) };
    let options = MapOptions {
        rows: range(asked.from_row, asked.to_row, ready.trace.n()),
        cols: range(asked.from_col, asked.to_col, ready.trace.m()),
        pool: asked.pool,
        scale: asked.scale,
        theme: asked.theme,
    };
    let answer = app
        .queue
        .run(move |cancel| {
            Ok(svg::map(
                &ready.trace,
                head,
                &ready.prefix,
                &options,
                cancel,
            )?)
        })
        .await?;
    Ok(answer)
}

async fn text(app: &App, id: &str, query: TextQuery) -> Result<String, ApiError> {
    let Text {
        unit,
        index,
        heads,
        keep_prefix,
        above,
        theme,
    } = request::asked(query)?;
    let asked = token_attention::Asked::of(unit, index, heads, keep_prefix, above);
    let options = asked.options()?;
    let ready: Arc<Ready> = app.traces.find(id)?.get()?;
    let answer = app
        .queue
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
        .await?;
    Ok(answer)
}
