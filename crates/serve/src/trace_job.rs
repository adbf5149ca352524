//! One text: being read, read, or not readable.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use lookback_heads::interventions::NamedInterventions;
use lookback_model::{Encoding, Hooks, Logits, Prefix, TraceOptions};
use lookback_trace::Trace;
use tokio::sync::Notify;

use crate::NamedModel;
use crate::failure::Failure;
use crate::layers::Layers;
use crate::tiles::Tiles;

/// A text and how far its reading is.
pub(crate) struct TraceJob {
    pub(crate) id: String,
    pub(crate) text: String,
    /// What was changed in the model while it read.
    pub(crate) interventions: NamedInterventions,
    /// Set by whoever does not want it any more.
    cancelled: AtomicBool,
    /// Told the same, for where it waits for its turn.
    wake: Notify,
    state: Mutex<State>,
    /// Layers done.
    done: AtomicUsize,
    /// Layers in all; 0 until it begins.
    layers: AtomicUsize,
}

/// How far it is.
#[derive(Clone)]
pub(crate) enum State {
    /// Waiting or running: layers done, and in all.
    Reading { done: usize, layers: usize },
    /// There.
    Ready(Arc<Ready>),
    /// It could not be read.
    Failed(Failure),
}

/// A text that was read.
pub(crate) struct Ready {
    pub(crate) trace: Trace,
    /// Texts of the prefix tokens; empty where nobody knows them.
    pub(crate) prefix: Vec<String>,
    pub(crate) tiles: Tiles,
    pub(crate) layers: Layers,
    /// Seconds that the reading took; none for a trace that was given.
    pub(crate) seconds: Option<f64>,
}

impl TraceJob {
    pub(crate) fn new(id: String, text: String, interventions: NamedInterventions) -> Self {
        Self {
            id,
            text,
            interventions,
            cancelled: AtomicBool::new(false),
            wake: Notify::new(),
            state: Mutex::new(State::Reading { done: 0, layers: 0 }),
            done: AtomicUsize::new(0),
            layers: AtomicUsize::new(0),
        }
    }

    /// A trace that is there already.
    pub(crate) fn ready(id: String, trace: Trace, model: Option<&NamedModel>) -> Self {
        let mut job = Self::new(id, trace.meta().text.clone(), NamedInterventions::default());
        job.state = Mutex::new(State::Ready(Arc::new(Ready::new(trace, model, None))));
        job
    }

    /// Where it stands.
    pub(crate) fn state(&self) -> State {
        match &*self.lock() {
            State::Reading { .. } => State::Reading {
                done: self.done.load(Ordering::Relaxed),
                layers: self.layers.load(Ordering::Relaxed),
            },
            state => state.clone(),
        }
    }

    /// What was read.
    pub(crate) fn get(&self) -> Result<Arc<Ready>, Failure> {
        match self.state() {
            State::Ready(ready) => Ok(ready),
            State::Failed(failure) => Err(failure),
            State::Reading { .. } => Err(Failure::NotReady),
        }
    }

    pub(crate) fn is_reading(&self) -> bool {
        matches!(*self.lock(), State::Reading { .. })
    }

    /// Whether whoever asks for its text may be given it: it is there, or nobody has stopped it.
    pub(crate) fn is_wanted(&self) -> bool {
        match *self.lock() {
            State::Ready(_) => true,
            State::Failed(_) => false,
            State::Reading { .. } => !self.is_cancelled(),
        }
    }

    /// Stops it, where it is not there yet.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Ends once it is stopped, with that as its state: for a text that still waits for its turn.
    pub(crate) async fn stopped(&self) {
        self.wake.notified().await;
        *self.lock() = State::Failed(Failure::Cancelled);
    }

    /// Bytes that its trace takes.
    pub(crate) fn bytes(&self) -> usize {
        match &*self.lock() {
            State::Ready(ready) => ready.bytes(),
            _ => 0,
        }
    }

    /// Reads the text; whatever comes of it is the new state.
    pub(crate) fn read(&self, model: &NamedModel, prefix: &Prefix) {
        let state = match self.trace(model, prefix) {
            Ok(ready) => State::Ready(Arc::new(ready)),
            // In whatever words its end was noticed.
            Err(_) if self.is_cancelled() => State::Failed(Failure::Cancelled),
            Err(error) => State::Failed(error),
        };
        *self.lock() = state;
    }

    fn trace(&self, named: &NamedModel, prefix: &Prefix) -> Result<Ready, Failure> {
        let start = Instant::now();
        let model = &named.model;
        let cancelled = || self.is_cancelled();
        let tokenizer = model.tokenizer();
        let encoding = tokenizer.encode_cancellable(&self.text, prefix, &cancelled)?;
        let options = TraceOptions {
            logits: Logits::None,
            keep_v: false,
            model_name: Some(named.name.clone()),
            model_sha256: Some(named.sha256.clone()),
        };
        let interventions = self.interventions.on(model, &encoding)?;
        let traced = model.trace(&encoding, &options, &interventions.and(self))?;
        Ok(Ready::new(
            traced.trace,
            Some(named),
            Some(start.elapsed().as_secs_f64()),
        ))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hooks for TraceJob {
    fn before_layer(&self, done: usize, layers: usize) -> ControlFlow<()> {
        self.done.store(done, Ordering::Relaxed);
        self.layers.store(layers, Ordering::Relaxed);
        if self.is_cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl Ready {
    fn new(trace: Trace, model: Option<&NamedModel>, seconds: Option<f64>) -> Self {
        let ids = &trace.meta().tokens[..trace.meta().prefix_tokens];
        // A trace of another program's may not know them.
        let prefix = match (trace.meta().prefix_texts().as_slice(), model) {
            ([], Some(named)) => ids
                .iter()
                .map(|&id| named.model.tokenizer().printed(id))
                .collect(),
            (texts, _) => texts.iter().map(|&text| text.to_owned()).collect(),
        };
        let special = |id: &u32| model.and_then(|m| m.model.tokenizer().is_special(*id));
        let special = trace
            .meta()
            .tokens
            .iter()
            .map(|id| special(id).unwrap_or(false));
        Self {
            layers: Layers::new(
                trace.layer_ids().last().map_or(0, |last| last + 1),
                special.collect(),
            ),
            prefix,
            tiles: Tiles::new(),
            trace,
            seconds,
        }
    }

    /// What the model was given, as it takes it.
    pub(crate) fn encoding(&self) -> Encoding {
        let meta = self.trace.meta();
        Encoding {
            ids: meta.tokens.clone(),
            spans: meta.spans.clone(),
            prefix_tokens: meta.prefix_tokens,
            prefix_was_in_text: false,
            suffix_tokens: meta.suffix_tokens,
            text: meta.text.clone(),
        }
    }

    fn bytes(&self) -> usize {
        let numbers = |&layer: &usize| {
            self.trace.layer_shape(layer).map_or(0, |shape| {
                let bias = shape.bias.map_or(0, |[h, n, m]| h * n * m);
                shape.n * (shape.d_k * (shape.heads + shape.kv_heads) + 2 * shape.heads) + bias
            })
        };
        let layers = self.trace.layer_ids().iter();
        layers.map(numbers).sum::<usize>() * size_of::<f32>()
    }
}
