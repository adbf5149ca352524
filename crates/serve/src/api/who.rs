//! Which name a word refers to.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use lookback_heads::who::{From as Row, Question, RunHooks, Who, WhoOptions, who as ask};
use lookback_heads::{WordName, label};
use lookback_model::Hooks;
use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::request;
use super::stream::{Lines, lines};
use crate::NamedModel;
use crate::app::App;
use crate::failure::Failure;

/// Heads that are listed and cut at most, candidates at most, and bytes of a probe or a name.
const MOST_HEADS: usize = 32;
const MOST_CANDIDATES: usize = 16;
const MOST_BYTES: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The word, as an index into the trace's words.
    word: usize,
    /// The names it may refer to; those that are found where none is given.
    #[serde(default)]
    candidates: Vec<String>,
    #[serde(default)]
    probe: String,
    #[serde(default)]
    from: FromRow,
    #[serde(default = "default_top")]
    top: usize,
}

fn default_top() -> usize {
    5
}

/// Whose row is read and cut.
#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum FromRow {
    #[default]
    Word,
    Last,
    Probe,
}

/// One line of the answer.
#[derive(Serialize)]
#[serde(untagged)]
enum Line {
    /// The text, or a variant of it, is read for the nth time, of `readings` in all.
    Reading {
        reading: usize,
        readings: usize,
        layer: usize,
        layers: usize,
    },
    Answer {
        /// The word as an edge names it.
        label: String,
        who: Box<Who>,
    },
    Error {
        error: String,
    },
}

pub(super) async fn who(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Result<Json<Asked>, JsonRejection>,
) -> Result<Response, ApiError> {
    let asked = request::sent(body)?;
    let model = app.traces.model.clone().ok_or(Failure::NeedsModel)?;
    let ready = app.traces.find(&id)?.get()?;
    let (question, label) = asked.question(&ready.trace)?;
    let options = WhoOptions {
        prefix: app.traces.prefix.clone(),
        from: asked.row()?,
        heads: Vec::new(),
        ablate: Vec::new(),
        means: lookback_heads::mean_output::MeanOutputs::default(),
        top: asked.top,
        model_name: model.name.clone(),
    };
    let (lines, answer) = lines();
    app.queue
        .stream(move |cancel| {
            let line = match answered(&model, &question, &options, &lines, cancel) {
                Ok(who) => Line::Answer {
                    label,
                    who: Box::new(who),
                },
                Err(error) => Line::Error {
                    error: error.to_string(),
                },
            };
            // Whoever is gone needs no last line.
            let _ = lines.send(&line);
        })
        .await?;
    Ok(answer)
}

impl Asked {
    /// What is asked, and the word's name.
    fn question(&self, trace: &lookback_trace::Trace) -> Result<(Question, String), ApiError> {
        if self.top > MOST_HEADS || self.candidates.len() > MOST_CANDIDATES {
            return Err(ApiError::invalid(format!(
                "at most {MOST_HEADS} heads are listed, and {MOST_CANDIDATES} candidates compared"
            )));
        }
        if self.probe.len() > MOST_BYTES || self.candidates.iter().any(|c| c.len() > MOST_BYTES) {
            return Err(ApiError::invalid(format!(
                "a probe and a candidate have at most {MOST_BYTES} bytes"
            )));
        }
        let words = trace.words();
        if self.word >= words.len() {
            return Err(Failure::no_such_word(self.word, words.len()).into());
        }
        let label = label(words, self.word);
        let named = self.candidates.iter().map(|name| name.parse());
        let named: Vec<WordName> = named.collect::<Result<_, _>>()?;
        let question = Question::new(
            &trace.meta().text,
            words,
            Some(&label.parse()?),
            &named,
            Some(&self.probe),
        )?;
        if question.candidates.len() > MOST_CANDIDATES {
            return Err(ApiError::invalid(format!(
                "{} candidates come before this word; name at most {MOST_CANDIDATES} of them",
                question.candidates.len()
            )));
        }
        Ok((question, label))
    }

    fn row(&self) -> Result<Row, ApiError> {
        match self.from {
            FromRow::Word => Ok(Row::Word),
            FromRow::Last => Ok(Row::Last),
            FromRow::Probe if self.probe.trim().is_empty() => {
                Err(ApiError::invalid("from probe needs a probe"))
            }
            FromRow::Probe => Ok(Row::Probe),
        }
    }
}

fn answered(
    model: &NamedModel,
    question: &Question,
    options: &WhoOptions,
    lines: &Lines,
    cancel: &AtomicBool,
) -> Result<Who, lookback_heads::Error> {
    let progress = Progress {
        run: AtomicUsize::new(0),
        runs: AtomicUsize::new(0),
        lines,
        cancel,
    };
    ask(&model.model, question, options, &progress)
}

/// Says how often the text was read, and stops once nobody listens.
struct Progress<'a> {
    run: AtomicUsize,
    runs: AtomicUsize,
    lines: &'a Lines,
    cancel: &'a AtomicBool,
}

/// Layers between two lines.
const EVERY: usize = 8;

impl RunHooks for Progress<'_> {
    fn before_run(&self, run: usize, runs: usize) {
        self.run.store(run, Ordering::Relaxed);
        self.runs.store(runs, Ordering::Relaxed);
    }
}

impl Hooks for Progress<'_> {
    fn before_layer(&self, layer: usize, layers: usize) -> ControlFlow<()> {
        let line = Line::Reading {
            reading: self.run.load(Ordering::Relaxed),
            readings: self.runs.load(Ordering::Relaxed),
            layer,
            layers,
        };
        let gone = layer.is_multiple_of(EVERY) && self.lines.send(&line).is_err();
        match gone || self.cancel.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}
