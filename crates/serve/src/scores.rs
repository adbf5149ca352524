//! The heads' scores that need no text: computed once for the model, in the background, when they are first asked for.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lookback_heads::model_scores::ModelScores;
use lookback_model::Model;
use lookback_trace::HeadId;
use serde::Serialize;

use crate::failure::Failure;
use crate::queue::{Cancel, Queue};

/// One head's scores; what they mean stands in `docs/heads.md`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct HeadScores {
    #[serde(flatten)]
    head: HeadId,
    induction: f64,
    duplicate: f64,
    previous: f64,
    /// None for a model that cannot read the needles' texts.
    retrieval: Option<f64>,
    /// None for a model that predicts no tokens.
    copying: Option<f64>,
}

/// What is known of them.
#[derive(Clone)]
pub(crate) enum State {
    /// Nobody has asked.
    None,
    /// Steps done, and in all.
    Computing {
        done: usize,
        of: usize,
    },
    Ready(Arc<[HeadScores]>),
    Failed(Failure),
}

/// The scores of the server's model.
#[derive(Default)]
pub(crate) struct Scores {
    state: Mutex<Kept>,
    done: AtomicUsize,
    of: AtomicUsize,
}

#[derive(Default)]
enum Kept {
    #[default]
    None,
    Computing,
    Ready(Arc<[HeadScores]>),
    Failed(Failure),
}

impl Scores {
    pub(crate) fn state(&self) -> State {
        match &*self.lock() {
            Kept::None => State::None,
            Kept::Computing => State::Computing {
                done: self.done.load(Ordering::Relaxed),
                of: self.of.load(Ordering::Relaxed),
            },
            Kept::Ready(scores) => State::Ready(scores.clone()),
            Kept::Failed(error) => State::Failed(error.clone()),
        }
    }

    /// Begins to compute them, where that was not done and did not fail.
    pub(crate) fn begin(self: &Arc<Self>, queue: &Arc<Queue>, model: Arc<Model>) {
        {
            let mut kept = self.lock();
            if matches!(*kept, Kept::Computing | Kept::Ready(_)) {
                return;
            }
            *kept = Kept::Computing;
        }
        let (scores, queue) = (self.clone(), queue.clone());
        tokio::spawn(async move {
            let computed = scores.clone();
            let begun = queue.stream(move |cancel| {
                let kept = match computed.compute(&model, cancel) {
                    Ok(scores) => Kept::Ready(scores.into()),
                    Err(error) => Kept::Failed(error.into()),
                };
                *computed.lock() = kept;
            });
            if let Err(failure) = begun.await {
                *scores.lock() = Kept::Failed(failure);
            }
        });
    }

    fn compute(
        &self,
        model: &Model,
        cancel: &AtomicBool,
    ) -> Result<Vec<HeadScores>, lookback_heads::Error> {
        let scores = ModelScores::compute(model, &Cancel(cancel), &mut |at| {
            self.done.store(at.of_all.0, Ordering::Relaxed);
            self.of.store(at.of_all.1, Ordering::Relaxed);
        })?;
        let copying = scores.copying.unwrap_or_default();
        let retrieval = scores.retrieval.unwrap_or_default();
        let each = scores.probes.iter().enumerate();
        Ok(each
            .map(|(at, scores)| HeadScores {
                head: scores.head,
                induction: scores.induction,
                duplicate: scores.duplicate,
                previous: scores.previous,
                copying: copying.get(at).map(|score| score.copying),
                retrieval: retrieval.get(at).map(|score| score.retrieval),
            })
            .collect())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
