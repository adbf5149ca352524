//! Traces of the texts that were read: the latest few, as far as memory allows.

use std::sync::{Arc, Mutex, PoisonError};

use lookback_heads::interventions::NamedInterventions;
use lookback_model::Prefix;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::failure::Failure;
use crate::trace_job::TraceJob;
use crate::{Error, NamedModel, ServeOptions};

/// Texts that are kept at most.
const MOST: usize = 8;

/// Bytes that the traces of earlier texts may take beside the latest.
const MOST_BYTES: usize = 256 << 20;

/// Bytes that a text may have.
pub(crate) const TEXT_BYTES: usize = 1 << 20;

/// The traces, and what makes them.
pub(crate) struct TraceCache {
    pub(crate) model: Option<NamedModel>,
    pub(crate) prefix: Prefix,
    /// The text that the page begins with.
    first: Arc<TraceJob>,
    /// Whether the first is a trace that was given, which is never dropped.
    given: bool,
    /// The latest last.
    jobs: Mutex<Vec<Arc<TraceJob>>>,
    turn: Arc<Semaphore>,
    /// How many texts may wait, the one being read included.
    waiting: usize,
}

impl TraceCache {
    pub(crate) fn new(options: ServeOptions) -> Result<Self, Error> {
        let ServeOptions {
            model,
            trace,
            text,
            interventions,
            prefix,
            limits,
            ..
        } = options;
        if let (Some(model), Some(trace)) = (&model, &trace) {
            validate_model(model, trace.meta())?;
        }
        if let Some(trace) = &trace {
            trace.require_self_attention("The page")?;
        }
        let given = trace.is_some();
        let first = match (trace, &model) {
            (Some(trace), model) => {
                let meta = trace.meta();
                let id = identity(&meta.model, &meta.text, &NamedInterventions::default());
                TraceJob::ready(id, trace, model.as_ref())
            }
            (None, Some(model)) => TraceJob::new(
                identity(&model.sha256, &text, &interventions),
                text,
                interventions,
            ),
            (None, None) => return Err(Error::Nothing),
        };
        let first = Arc::new(first);
        Ok(Self {
            model,
            prefix,
            given,
            jobs: Mutex::new(vec![first.clone()]),
            first,
            turn: Arc::new(Semaphore::new(1)),
            waiting: limits.texts,
        })
    }

    /// Begins with the first text, where it is not there yet.
    pub(crate) fn read_first(self: &Arc<Self>) {
        if !self.given {
            self.begin(self.first.clone());
        }
    }

    /// The text that the page begins with.
    pub(crate) fn first(&self) -> &Arc<TraceJob> {
        &self.first
    }

    /// What was read under this name.
    pub(crate) fn find(&self, id: &str) -> Result<Arc<TraceJob>, Failure> {
        let mut jobs = self.lock();
        let at = jobs.iter().position(|job| job.id == id).ok_or_else(|| {
            let message = format!("there is no trace {id:?} here (any more); send its text again");
            Failure::NotFound(message)
        })?;
        // What is asked about was used last.
        let job = jobs.remove(at);
        jobs.push(job.clone());
        Ok(job)
    }

    /// Reads `text` under some interventions, unless that was done already. One that is being stopped is read anew.
    pub(crate) fn read(
        self: &Arc<Self>,
        text: String,
        interventions: NamedInterventions,
    ) -> Result<Arc<TraceJob>, Failure> {
        validate_text(&text)?;
        let mut jobs = self.lock();
        let same = |job: &&Arc<TraceJob>| {
            job.text == text && job.interventions == interventions && job.is_wanted()
        };
        if let Some(job) = jobs.iter().find(same) {
            return Ok(job.clone());
        }
        let model = self.model.as_ref().ok_or(Failure::NeedsModel)?;
        let id = identity(&model.sha256, &text, &interventions);
        jobs.retain(|job| job.id != id);
        let waiting = jobs
            .iter()
            .filter(|job| job.is_reading() && job.is_wanted());
        if waiting.count() >= self.waiting {
            return Err(Failure::Busy("texts are being read"));
        }
        let job = Arc::new(TraceJob::new(id, text, interventions));
        jobs.push(job.clone());
        drop(jobs);
        self.begin(job.clone());
        Ok(job)
    }

    /// Stops reading all texts.
    pub(crate) fn cancel_all(&self) {
        for job in self.lock().iter() {
            job.cancel();
        }
    }

    fn begin(self: &Arc<Self>, job: Arc<TraceJob>) {
        let Some(model) = self.model.clone() else {
            return;
        };
        let (prefix, turn, cache) = (self.prefix.clone(), self.turn.clone(), self.clone());
        tokio::spawn(async move {
            let turn = tokio::select! {
                turn = turn.acquire_owned() => turn,
                () = job.stopped() => return,
            };
            cache.make_room(&job);
            // What goes wrong is kept in the reading, for whoever asks about it.
            let _ = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                job.read(&model, &prefix);
            })
            .await;
        });
    }

    /// Drops the traces that were used longest ago, except what is being read, was given, or is `latest`.
    fn make_room(&self, latest: &Arc<TraceJob>) {
        let mut jobs = self.lock();
        let mut bytes = 0;
        let mut count = 0;
        let mut kept: Vec<Arc<TraceJob>> = Vec::new();
        for job in jobs.drain(..).rev() {
            let pinned = Arc::ptr_eq(&job, latest)
                || job.is_reading()
                || (self.given && Arc::ptr_eq(&job, &self.first));
            bytes += if pinned { 0 } else { job.bytes() };
            count += 1;
            if pinned || (bytes <= MOST_BYTES && count <= MOST) {
                kept.push(job);
            }
        }
        kept.reverse();
        *jobs = kept;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<TraceJob>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a text can be read, before anything is done with it.
fn validate_text(text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        return Err(Failure::invalid(
            "the text is empty; give at least one character",
        ));
    }
    if text.len() > TEXT_BYTES {
        return Err(Failure::TooLarge(format!(
            "the text has {} bytes; {TEXT_BYTES} are read at most",
            text.len()
        )));
    }
    Ok(())
}

/// The name of what a model makes of a text under some interventions.
fn identity(model: &str, text: &str, interventions: &NamedInterventions) -> String {
    let mut hash = Sha256::new();
    hash.update(model);
    hash.update([0]);
    hash.update(text);
    // Worded as it was when the first links were made: their names still hold.
    if let Some(described) = interventions.describe_as(|heads| format!("without {heads}")) {
        hash.update([0]);
        hash.update(described);
    }
    hash.finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether a model made the trace, as far as the trace says which did.
fn validate_model(model: &NamedModel, meta: &lookback_trace::Meta) -> Result<(), Error> {
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

    fn cache(texts: usize) -> Arc<TraceCache> {
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
        Arc::new(TraceCache::new(options).unwrap())
    }

    /// On one thread nothing is read before somebody awaits, so that all texts wait as long as the test likes.
    #[test]
    fn only_so_many_texts_wait_and_one_that_is_read_makes_room() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let _within = runtime.enter();
        let cache = cache(4);
        let read = |text: &str| {
            cache
                .read(text.to_owned(), NamedInterventions::default())
                .map(|job| job.text.clone())
        };
        // The first text waits already.
        for text in ["second", "third", "fourth"] {
            assert_eq!(read(text).unwrap(), text);
        }
        let refused = read("fifth").unwrap_err();
        assert!(refused.to_string().contains("too many texts"), "{refused}");
        // One that waits already is not another.
        assert_eq!(read("third").unwrap(), "third");
        let model = cache.model.as_ref().unwrap();
        cache.first().read(model, &cache.prefix);
        assert!(!cache.first().is_reading());
        assert_eq!(read("fifth").unwrap(), "fifth");
        assert!(read("sixth").is_err());
    }

    #[test]
    fn a_text_that_was_stopped_and_is_sent_again_is_read() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let _within = runtime.enter();
        let cache = cache(2);
        let text = "read me".to_owned();
        let read = || cache.read(text.clone(), NamedInterventions::default());
        let first = read().unwrap();
        assert!(Arc::ptr_eq(&first, &read().unwrap()));
        first.cancel();
        let second = read().unwrap();
        assert!(!Arc::ptr_eq(&first, &second) && second.id == first.id);
        let model = cache.model.as_ref().unwrap();
        first.read(model, &cache.prefix);
        second.read(model, &cache.prefix);
        let stopped = first.get().err().map(|error| error.to_string());
        assert!(stopped.is_some_and(|error| error.contains("was stopped")));
        assert!(second.get().is_ok());
        assert!(Arc::ptr_eq(&second, &read().unwrap()));
    }

    /// What waits for its turn and was stopped holds no place any more.
    #[test]
    fn a_text_that_waits_is_stopped_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let cache = cache(2);
            let _turn = cache.turn.clone().acquire_owned().await.unwrap();
            for _ in 0..100 {
                let job = cache
                    .read("x".to_owned(), NamedInterventions::default())
                    .unwrap();
                job.cancel();
                while job.is_reading() {
                    tokio::task::yield_now().await;
                }
                assert_eq!(Arc::strong_count(&job), 2);
            }
        });
    }
}
