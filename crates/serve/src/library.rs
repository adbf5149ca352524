//! The texts that were read: the latest few, as far as memory allows.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use lookback_heads::interventions::NamedInterventions;
use lookback_model::Prefix;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::api::ApiError;
use crate::reading::Reading;
use crate::server::App;
use crate::{Error, NamedModel, ServeOptions};

/// Texts that are kept at most.
const MOST: usize = 8;

/// Bytes that the traces of earlier texts may take beside the latest.
const MOST_BYTES: usize = 256 << 20;

/// Bytes that a text may have.
pub(crate) const TEXT_BYTES: usize = 1 << 20;

/// What was read, and what reads.
pub(crate) struct Library {
    pub(crate) model: Option<NamedModel>,
    pub(crate) prefix: Prefix,
    /// The text that the page begins with.
    first: Arc<Reading>,
    /// Whether the first is a trace that was given, which is never dropped.
    given: bool,
    /// The latest last.
    readings: Mutex<Vec<Arc<Reading>>>,
    turn: Arc<Semaphore>,
    /// How many texts may wait, the one being read included.
    waiting: usize,
}

impl Library {
    pub(crate) fn new(options: ServeOptions) -> Result<Self, Error> {
        let ServeOptions {
            model,
            trace,
            text,
            changes,
            prefix,
            limits,
            ..
        } = options;
        if let (Some(model), Some(trace)) = (&model, &trace) {
            refuse_other_model(model, trace.meta())?;
        }
        let given = trace.is_some();
        let first = match (trace, &model) {
            (Some(trace), model) => {
                let meta = trace.meta();
                let id = identity(&meta.model, &meta.text, &NamedInterventions::default());
                Reading::ready(id, trace, model.as_ref())
            }
            (None, Some(model)) => {
                Reading::new(identity(&model.sha256, &text, &changes), text, changes)
            }
            (None, None) => return Err(Error::Nothing),
        };
        let first = Arc::new(first);
        Ok(Self {
            model,
            prefix,
            given,
            readings: Mutex::new(vec![first.clone()]),
            first,
            turn: Arc::new(Semaphore::new(1)),
            waiting: limits.texts,
        })
    }

    /// Begins with the first text, where it is not there yet.
    pub(crate) fn read_first(&self, app: &Arc<App>) {
        if !self.given {
            self.begin(self.first.clone(), app);
        }
    }

    /// The text that the page begins with.
    pub(crate) fn first(&self) -> &Arc<Reading> {
        &self.first
    }

    /// What was read under this name.
    pub(crate) fn find(&self, id: &str) -> Result<Arc<Reading>, ApiError> {
        let mut readings = self.lock();
        let at = readings
            .iter()
            .position(|reading| reading.id == id)
            .ok_or_else(|| {
                ApiError::new(
                    StatusCode::NOT_FOUND,
                    format!("there is no trace {id:?} here (any more); send its text again"),
                )
            })?;
        // What is asked about was used last.
        let reading = readings.remove(at);
        readings.push(reading.clone());
        Ok(reading)
    }

    /// Reads `text` under some changes, unless that was done already.
    pub(crate) fn read(
        &self,
        text: String,
        changes: NamedInterventions,
        app: &Arc<App>,
    ) -> Result<Arc<Reading>, ApiError> {
        check(&text)?;
        let known = self
            .lock()
            .iter()
            .find(|r| r.text == text && r.changes == changes && !r.has_failed())
            .cloned();
        if let Some(reading) = known {
            return Ok(reading);
        }
        let model = self.model.as_ref().ok_or_else(ApiError::needs_model)?;
        let id = identity(&model.sha256, &text, &changes);
        let mut readings = self.lock();
        readings.retain(|reading| reading.id != id);
        if readings
            .iter()
            .filter(|reading| reading.is_reading())
            .count()
            >= self.waiting
        {
            return Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many texts are being read; ask again in a moment",
            ));
        }
        let reading = Arc::new(Reading::new(id, text, changes));
        readings.push(reading.clone());
        drop(readings);
        self.begin(reading.clone(), app);
        Ok(reading)
    }

    /// Stops reading all texts.
    pub(crate) fn cancel_all(&self) {
        for reading in self.lock().iter() {
            reading.cancel.store(true, Ordering::Relaxed);
        }
    }

    fn begin(&self, reading: Arc<Reading>, app: &Arc<App>) {
        let Some(model) = self.model.clone() else {
            return;
        };
        let (prefix, turn, app) = (self.prefix.clone(), self.turn.clone(), app.clone());
        tokio::spawn(async move {
            let turn = turn.acquire_owned().await;
            app.library.make_room(&reading);
            // What goes wrong is kept in the reading, for whoever asks about it.
            let _ = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                reading.read(&model, &prefix);
            })
            .await;
        });
    }

    /// Drops the traces that were used longest ago, except what is being read, was given, or is `latest`.
    fn make_room(&self, latest: &Arc<Reading>) {
        let mut readings = self.lock();
        let mut bytes = 0;
        let mut count = 0;
        let mut kept: Vec<Arc<Reading>> = Vec::new();
        for reading in readings.drain(..).rev() {
            let pinned = Arc::ptr_eq(&reading, latest)
                || reading.is_reading()
                || (self.given && Arc::ptr_eq(&reading, &self.first));
            bytes += if pinned { 0 } else { reading.bytes() };
            count += 1;
            if pinned || (bytes <= MOST_BYTES && count <= MOST) {
                kept.push(reading);
            }
        }
        kept.reverse();
        *readings = kept;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Reading>>> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses a text that cannot be read, before anything is done with it.
fn check(text: &str) -> Result<(), ApiError> {
    if text.is_empty() {
        return Err(ApiError::bad(
            "the text is empty; give at least one character",
        ));
    }
    if text.len() > TEXT_BYTES {
        return Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "the text has {} bytes; {TEXT_BYTES} are read at most",
                text.len()
            ),
        ));
    }
    Ok(())
}

/// The name of what a model makes of a text under some changes.
fn identity(model: &str, text: &str, changes: &NamedInterventions) -> String {
    let mut hash = Sha256::new();
    hash.update(model);
    hash.update([0]);
    hash.update(text);
    if let Some(told) = changes.describe() {
        hash.update([0]);
        hash.update(told);
    }
    hash.finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Refuses a model that did not make the trace, as far as the trace says which did.
fn refuse_other_model(model: &NamedModel, meta: &lookback_trace::Meta) -> Result<(), Error> {
    match &meta.model_sha256 {
        Some(sha256) if *sha256 != model.sha256 => Err(Error::OtherModel {
            trace: meta.model.clone(),
            trace_sha256: sha256.clone(),
            model: model.name.clone(),
            model_sha256: model.sha256.clone(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use lookback_model::store::PRONOUN;
    use lookback_model::{LoadOptions, Model};

    use super::*;
    use crate::Limits;
    use crate::guard::Hosts;
    use crate::scores::Scores;
    use crate::work::Work;

    fn app(texts: usize) -> Arc<App> {
        let resolved = PRONOUN.resolved();
        let options = ServeOptions {
            model: Some(NamedModel {
                model: Arc::new(Model::load(&resolved.path, &LoadOptions::default()).unwrap()),
                name: resolved.name,
                sha256: resolved.sha256.unwrap_or_default(),
            }),
            text: "The first text.".to_owned(),
            limits: Limits {
                texts,
                ..Limits::default()
            },
            ..ServeOptions::default()
        };
        Arc::new(App {
            hosts: Hosts::of(options.address),
            library: Library::new(options).unwrap(),
            work: Work::new(),
            scores: Scores::default(),
        })
    }

    /// On one thread nothing is read before somebody awaits, so that all texts wait as long as the test likes.
    #[test]
    fn only_so_many_texts_wait_and_one_that_is_read_makes_room() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let _within = runtime.enter();
        let app = app(4);
        let read = |text: &str| {
            app.library
                .read(text.to_owned(), NamedInterventions::default(), &app)
                .map(|reading| reading.text.clone())
        };
        // The first text waits already.
        for text in ["second", "third", "fourth"] {
            assert_eq!(read(text).unwrap(), text);
        }
        let refused = read("fifth").unwrap_err();
        assert!(refused.message().contains("too many texts"), "{refused:?}");
        // One that waits already is not another.
        assert_eq!(read("third").unwrap(), "third");
        let library = &app.library;
        library
            .first()
            .read(library.model.as_ref().unwrap(), &library.prefix);
        assert!(!library.first().is_reading());
        assert_eq!(read("fifth").unwrap(), "fifth");
        assert!(read("sixth").is_err());
    }
}
