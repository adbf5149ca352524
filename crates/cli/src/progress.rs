//! Progress on standard error, where that is a terminal.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use lookback_model::store::{Progress, Stage};
use lookback_trace::SaveProgress;

use crate::interrupt;

const STEPS: &str = "{spinner} {msg}: step {pos} of {len}, {prefix}, {eta}";
const COUNTING: &str = "{spinner} {msg} {wide_bar} {pos} of {len}, {eta} left";
const ROUNDING: &str = "{spinner} {msg}: rounding to f16, layer {pos} of {len}";
const SAVING: &str = "{spinner} {msg}: {decimal_bytes} of {decimal_total_bytes}";

/// A line that shows that something is going on; it is gone once this is dropped.
pub(crate) struct Spinner {
    bar: ProgressBar,
}

impl Spinner {
    pub(crate) fn start(message: String) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        bar.set_style(style("{spinner} {msg}"));
        bar.set_message(message);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    /// Shows that `done` layers of `layers` are done.
    pub(crate) fn position(&self, done: usize, layers: usize) {
        if self.bar.length().is_none() {
            self.bar.set_length(layers as u64);
            self.bar
                .set_style(style("{spinner} {msg}: layer {pos} of {len}"));
        }
        self.bar.set_position(done as u64);
    }

    pub(crate) fn finish(self) {
        drop(self);
    }

    /// Takes the line off; does nothing where it is gone already.
    pub(crate) fn clear(&self) {
        if !self.bar.is_finished() {
            self.bar.finish_and_clear();
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Shows how far a run of training is; it is gone once this is dropped.
pub(crate) struct StepBar {
    bar: ProgressBar,
}

impl StepBar {
    pub(crate) fn start() -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        bar.set_style(style(STEPS));
        Self { bar }
    }

    /// A run of at most `steps` steps begins.
    pub(crate) fn begin(&self, what: &str, steps: usize) {
        self.bar.enable_steady_tick(Duration::from_millis(100));
        self.bar.reset();
        self.bar.set_length(steps as u64);
        self.bar.set_message(what.to_owned());
    }

    pub(crate) fn step(&self, step: usize, loss: f64) {
        self.bar.set_position(step as u64);
        self.bar.set_prefix(format!("loss {loss:.3}"));
    }
}

impl Drop for StepBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Shows how far a file is written; it is gone once this is dropped.
pub(crate) struct SaveBar {
    bar: ProgressBar,
}

impl SaveBar {
    pub(crate) fn start(file: &Path) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        bar.set_style(style(SAVING));
        bar.set_message(format!("saving {}", file.display()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    /// Shows which layer is rounded, then how many bytes are written.
    pub(crate) fn position(&self, progress: SaveProgress) {
        let (style_of, done, total) = match progress {
            SaveProgress::Rounding { done, layers } => (ROUNDING, done as u64, layers as u64),
            SaveProgress::Writing { done, total } => (SAVING, done, total),
        };
        if done == 0 {
            self.bar.set_style(style(style_of));
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

impl Drop for SaveBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Shows how many of some things are done; it is gone once this is dropped.
pub(crate) struct CountBar {
    bar: ProgressBar,
}

impl CountBar {
    pub(crate) fn start(message: &'static str) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        bar.set_style(style(COUNTING));
        bar.set_message(message);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    /// Shows that `done` of `total` are done.
    pub(crate) fn position(&self, done: usize, total: usize) {
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
    }
}

impl Drop for CountBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
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
            Some(total) => ProgressBar::new(total).with_style(style(
                "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}",
            )),
            None => ProgressBar::new_spinner().with_style(style("{spinner} {msg} {decimal_bytes}")),
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
            STEPS,
            "{spinner} {msg}",
            "{spinner} {msg}: layer {pos} of {len}",
            "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}",
            "{spinner} {msg} {decimal_bytes}",
            COUNTING,
            SAVING,
            ROUNDING,
        ] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
