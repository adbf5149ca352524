//! What a run over a text reports to: a line on the terminal, and whether the person asked to stop.

use std::ops::ControlFlow;

use lookback_heads::who::RunHooks;
use lookback_model::Hooks;

use crate::interrupt;
use crate::output::count;
use crate::progress::Line;

/// Shows which layer a run has reached, and stops it when the person asks to. The line is gone once this is dropped.
pub(crate) struct LayerProgress {
    line: Line,
}

impl LayerProgress {
    /// A run over `tokens` tokens begins.
    pub(crate) fn start(tokens: usize) -> Self {
        Self {
            line: Line::layers(format!("reading {}", count(tokens, "token"))),
        }
    }

    /// Takes the line off before something else is printed.
    pub(crate) fn clear(&self) {
        self.line.clear();
    }
}

impl Hooks for LayerProgress {
    fn before_layer(&self, done: usize, layers: usize) -> ControlFlow<()> {
        self.line.position(done as u64, layers as u64);
        interrupt::flow()
    }
}

impl RunHooks for LayerProgress {
    fn before_run(&self, run: usize, runs: usize) {
        self.line.message(format!("run {run} of {runs}"));
    }
}

/// Stops a run when the person asks to, and shows nothing.
pub(crate) struct StopWhenAsked;

impl Hooks for StopWhenAsked {
    fn before_layer(&self, _done: usize, _layers: usize) -> ControlFlow<()> {
        interrupt::flow()
    }
}
