//! Progress on standard error, where that is a terminal.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use lookback_model::store::{Progress, Stage};
use lookback_trace::SaveProgress;

use crate::{interrupt, output};

const SPINNER: &str = "{spinner} {msg}";
const LAYERS: &str = "{spinner} {msg}: layer {pos} of {len}";
const STEPS: &str = "{spinner} {msg}: step {pos} of {len}, {prefix}, {eta}";
const COUNTING: &str = "{spinner} {msg} {wide_bar} {pos} of {len}, {eta} left";
const BYTES: &str = "{spinner} {msg}: {decimal_bytes} of {decimal_total_bytes}, {eta} left";
const ROUNDING: &str = "{spinner} {msg}: rounding to f16, layer {pos} of {len}";
const FETCHING: &str =
    "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
const FETCHED: &str = "{spinner} {msg} {decimal_bytes}";

/// A line that shows that something is going on, and how far it is; it is gone once this is dropped.
pub(crate) struct Line {
    bar: ProgressBar,
    /// How it looks once it is known how much there is to do; until then nothing of nothing is shown.
    counted: &'static str,
}

impl Line {
    /// Shows that something is going on.
    pub(crate) fn spinner(message: String) -> Self {
        Self::new(message, SPINNER)
    }

    /// Shows how many layers are done.
    pub(crate) fn layers(message: String) -> Self {
        Self::new(message, LAYERS)
    }

    /// Shows how many of some things are done.
    pub(crate) fn counting(message: impl Into<String>) -> Self {
        Self::new(message.into(), COUNTING)
    }

    /// Shows how many bytes of a file are written.
    pub(crate) fn saving(file: &Path) -> Self {
        Self::new(format!("saving {}", file.display()), BYTES)
    }

    /// Shows how far a run of training is.
    pub(crate) fn training() -> Self {
        Self::new(String::new(), STEPS)
    }

    fn new(message: String, counted: &'static str) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        bar.set_style(style(SPINNER));
        bar.set_message(message);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, counted }
    }

    /// Shows that `done` of `total` are done.
    pub(crate) fn position(&self, done: u64, total: u64) {
        if self.bar.length() != Some(total) {
            self.bar.set_length(total);
            self.bar.set_style(style(self.counted));
        }
        self.bar.set_position(done);
    }

    /// Shows which layer of a trace is rounded, then how many bytes of its file are written.
    pub(crate) fn saved(&self, progress: SaveProgress) {
        let (template, done, total) = match progress {
            SaveProgress::Rounding { done, layers } => (ROUNDING, done as u64, layers as u64),
            SaveProgress::Writing { done, total } => (BYTES, done, total),
        };
        if done == 0 {
            self.bar.set_style(style(template));
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    /// Shows another message.
    pub(crate) fn message(&self, message: String) {
        self.bar.set_message(message);
    }

    /// A run of at most `steps` steps begins.
    pub(crate) fn begin(&self, what: String, steps: usize) {
        self.bar.reset();
        self.bar.set_message(what);
        self.position(0, steps as u64);
    }

    /// Shows a step of training, and its loss.
    pub(crate) fn step(&self, step: usize, loss: f64) {
        self.bar.set_position(step as u64);
        self.bar.set_prefix(format!("loss {loss:.3}"));
    }

    /// Takes the line off; does nothing where it is gone already.
    pub(crate) fn clear(&self) {
        if !self.bar.is_finished() {
            self.bar.finish_and_clear();
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Shows how far a fetch is, and stops it when the person asks to.
pub(crate) struct FetchBar {
    bar: Mutex<Option<ProgressBar>>,
}

impl FetchBar {
    pub(crate) fn new() -> Self {
        Self {
            bar: Mutex::new(None),
        }
    }

    fn replace(&self, bar: Option<ProgressBar>) {
        let mut current = self
            .bar
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(old) = current.take() {
            old.finish_and_clear();
        }
        *current = bar;
    }
}

impl Progress for FetchBar {
    fn begin(&self, stage: &Stage, total: Option<u64>) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let bar = match total {
            Some(total) => ProgressBar::new(total).with_style(style(FETCHING)),
            None => ProgressBar::new_spinner().with_style(style(FETCHED)),
        };
        bar.set_message(describe(stage));
        bar.enable_steady_tick(Duration::from_millis(100));
        self.replace(Some(bar));
    }

    fn advance(&self, done: u64) {
        let current = self
            .bar
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(bar) = current.as_ref() {
            bar.set_position(done);
        }
    }

    fn finish(&self) {
        self.replace(None);
    }

    fn notice(&self, message: &str) {
        self.replace(None);
        output::note(message);
    }

    fn cancelled(&self) -> bool {
        interrupt::requested()
    }
}

fn describe(stage: &Stage) -> String {
    match stage {
        Stage::Waiting { model } => format!("waiting: another process is fetching {model}"),
        Stage::Downloading { name } => format!("fetching {name}"),
        Stage::Unpacking { name } => format!("unpacking {name}"),
        Stage::Verifying { name } => format!("checking {name}"),
        _ => String::new(),
    }
}

/// A style from a template that is right by the tests.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_well_formed() {
        for template in [
            SPINNER, LAYERS, STEPS, COUNTING, BYTES, ROUNDING, FETCHING, FETCHED,
        ] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    /// Until a total is known there is none to show: "0 B of 0 B" says nothing.
    #[test]
    fn nothing_of_nothing_is_never_shown() {
        let line = Line::saving(Path::new("x"));
        assert_eq!(line.bar.length(), None);
        line.position(3, 10);
        assert_eq!((line.bar.position(), line.bar.length()), (3, Some(10)));
    }
}
