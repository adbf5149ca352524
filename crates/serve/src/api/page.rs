//! One file that keeps what is seen, and how large it will be.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use lookback_view::page::{Page, PageOptions, Plan, TOP};
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::{file, request};
use crate::app::App;
use crate::failure::Failure;
use crate::trace_job::Ready;

/// Weights that are kept of each head at most.
const MOST_TOP: usize = 1000;

/// What the page keeps; what is not said is chosen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    all: bool,
    #[serde(default)]
    heads: String,
    /// A word that is kept beside those that are chosen.
    word: Option<usize>,
    words: Option<String>,
    top: Option<usize>,
}

type AskedQuery = Result<Query<Asked>, QueryRejection>;

#[derive(Serialize)]
pub(super) struct Described {
    bytes: u64,
    heads: Option<Vec<String>>,
    words: Option<Vec<usize>>,
    left_out: Option<String>,
}

impl Asked {
    fn options(&self) -> Result<PageOptions, ApiError> {
        let heads = request::heads(&self.heads)?;
        let number = |word: &str| {
            let invalid = |_| ApiError::invalid(format!("{word:?} is no word's number"));
            word.parse::<usize>().map_err(invalid)
        };
        let words = self.words.as_deref().map(|words| {
            let named = words.split(',').filter(|word| !word.is_empty());
            named.map(number).collect::<Result<Vec<_>, _>>()
        });
        let top = self.top.unwrap_or(TOP);
        if top > MOST_TOP {
            let message = format!("top is {top}; at most {MOST_TOP} weights of a head are kept");
            return Err(ApiError::invalid(message));
        }
        Ok(PageOptions {
            all: self.all,
            heads: (!heads.is_empty()).then_some(heads),
            words: words.transpose()?,
            word: self.word,
            top,
        })
    }
}

/// The page as a file.
pub(super) async fn html(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: AskedQuery,
) -> Result<Response, ApiError> {
    let options = request::asked(query)?.options()?;
    let ready = app.traces.find(&id)?.get()?;
    let page = app
        .queue
        .run(move |cancel| written(&ready, &options, cancel));
    Ok(file::saved(
        "text/html; charset=utf-8",
        "lookback.html",
        page.await?,
    ))
}

fn written(ready: &Ready, options: &PageOptions, cancel: &AtomicBool) -> Result<Vec<u8>, Failure> {
    let go_on = &mut |_, _| match cancel.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let plan = Plan::new(&ready.trace, options, cancel)?;
    let page = Page::new(&ready.trace, &ready.prefix, &plan, go_on)?;
    let mut file = Vec::new();
    page.write(&mut file)?;
    Ok(file)
}

/// How large the page will be, and what it keeps.
pub(super) async fn plan(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: AskedQuery,
) -> Result<Json<Described>, ApiError> {
    let options = request::asked(query)?.options()?;
    let ready = app.traces.find(&id)?.get()?;
    let plan = app
        .queue
        .run(move |cancel| Ok(Plan::new(&ready.trace, &options, cancel)?))
        .await?;
    let name = |id: &lookback_trace::HeadId| format!("{}.{}", id.layer, id.head);
    Ok(Json(Described {
        bytes: plan.size(),
        heads: plan.heads().map(|heads| heads.iter().map(name).collect()),
        words: plan.words().map(<[usize]>::to_vec),
        left_out: plan.left_out(),
    }))
}
