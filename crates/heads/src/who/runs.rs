//! How far the runs of a question are.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use lookback_model::{Attended, Hooks, Interventions};
use ndarray::ArrayView2;

/// Hooks that also hear of each run of the model that a question takes.
pub trait RunHooks: Hooks {
    /// Run `run` of `runs`, counted from 1, begins. How many there are is known once the first run is done; before, it is
    /// what most questions take.
    fn before_run(&self, run: usize, runs: usize) {
        let _ = (run, runs);
    }
}

impl RunHooks for () {}

/// Counts runs, and passes everything on.
pub(super) struct Counted<'a> {
    hooks: &'a dyn RunHooks,
    begun: AtomicUsize,
    runs: AtomicUsize,
}

impl<'a> Counted<'a> {
    pub(super) fn new(hooks: &'a dyn RunHooks) -> Self {
        Self {
            hooks,
            begun: AtomicUsize::new(0),
            runs: AtomicUsize::new(0),
        }
    }

    /// There will be so many.
    pub(super) fn expect(&self, runs: usize) {
        self.runs.store(runs, Ordering::Relaxed);
    }
}

impl Hooks for Counted<'_> {
    fn before_layer(&self, done: usize, layers: usize) -> ControlFlow<()> {
        if done == 0 {
            let run = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
            self.hooks
                .before_run(run, self.runs.load(Ordering::Relaxed).max(run));
        }
        self.hooks.before_layer(done, layers)
    }

    fn interventions(&self) -> Option<&Interventions> {
        self.hooks.interventions()
    }

    fn attended(&self, layer: &Attended) {
        self.hooks.attended(layer);
    }

    fn before_final_norm(&self, hidden: ArrayView2<f32>) {
        self.hooks.before_final_norm(hidden);
    }
}
