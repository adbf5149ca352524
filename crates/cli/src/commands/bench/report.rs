//! The measurements put together.

use std::io::Write as _;

use lookback_model::store::Resolved;
use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::measure::{Kind, Measured, Task};
use crate::output;

/// All that was measured; its JSON form is described in `docs/json/bench.md`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    model: String,
    model_sha256: Option<String>,
    library: &'static str,
    /// Whether the program was built with optimisation.
    optimised: bool,
    context: usize,
    machine: Machine,
    runs: usize,
    prefill: Vec<Speed>,
    decode: Vec<Speed>,
}

/// One measurement's speed and memory.
#[derive(Debug, Serialize)]
struct Speed {
    /// Tokens of the text that is read, or that stands before what is decoded.
    length: usize,
    /// Which numbers were computed on.
    weights: String,
    /// Tokens that one run read or wrote.
    tokens: usize,
    tokens_per_second: Spread,
    seconds: Spread,
    /// The most memory that the process held, the model included; none where the system does not tell.
    peak_memory_bytes: Option<u64>,
}

/// The middle of some runs and their ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    /// Of at least one value.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => (values[middle - 1] + values[middle]) / 2.0,
            _ => values[middle],
        };
        Self {
            median,
            min: values[0],
            max: values[values.len() - 1],
        }
    }
}

impl Report {
    pub(super) fn new(resolved: &Resolved, context: usize, runs: usize) -> Self {
        Self {
            model: resolved.name.clone(),
            model_sha256: resolved.sha256.clone(),
            library: concat!("lookback ", env!("CARGO_PKG_VERSION")),
            optimised: !cfg!(debug_assertions),
            context,
            machine: Machine::this(),
            runs,
            prefill: Vec::new(),
            decode: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, task: &Task, measured: Measured) {
        let tokens = measured.tokens as f64;
        let speed = Speed {
            length: task.length,
            weights: measured.weights,
            tokens: measured.tokens,
            tokens_per_second: Spread::of(measured.seconds.iter().map(|s| tokens / s).collect()),
            seconds: Spread::of(measured.seconds),
            peak_memory_bytes: measured.peak_memory_bytes,
        };
        match task.kind {
            Kind::Prefill => self.prefill.push(speed),
            Kind::Decode => self.decode.push(speed),
        }
    }

    /// Prints it for a person.
    pub(super) fn print(&self) -> anyhow::Result<()> {
        let mut out = output::stdout();
        writeln!(
            out,
            "{}: {}",
            output::one_line(&self.model),
            self.machine.describe()
        )?;
        if !self.optimised {
            writeln!(
                out,
                "Built without --release: these are not the program's speeds."
            )?;
        }
        writeln!(out)?;
        let bold = anstyle::Style::new().bold();
        let parts = [
            ("prefill, trace kept", "length", &self.prefill),
            ("decode", "depth", &self.decode),
        ];
        for (title, length, speeds) in parts {
            writeln!(
                out,
                "{bold}{title:<20}{bold:#} {length:>6}  {:>9}  {:>17}  {:>9}  {:>8}",
                "tokens/s", "slowest–fastest", "seconds", "memory"
            )?;
            for speed in speeds {
                let rate = speed.tokens_per_second;
                writeln!(
                    out,
                    "{:<20} {:>6}  {:>9.1}  {:>17}  {:>9.3}  {:>8}",
                    speed.weights,
                    speed.length,
                    rate.median,
                    format!("{:.1}–{:.1}", rate.min, rate.max),
                    speed.seconds.median,
                    speed
                        .peak_memory_bytes
                        .map_or("?".to_owned(), output::bytes),
                )?;
            }
            writeln!(out)?;
        }
        writeln!(
            out,
            "Medians of {}; memory is the process's peak, the model included.",
            match self.runs {
                1 => "1 run".to_owned(),
                runs => format!("{runs} runs"),
            }
        )?;
        out.flush()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_middle_and_the_ends() {
        let spread = |values: &[f64]| {
            let Spread { median, min, max } = Spread::of(values.to_vec());
            (median, min, max)
        };
        assert_eq!(spread(&[3.0, 1.0, 2.0]), (2.0, 1.0, 3.0));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), (2.5, 1.0, 4.0));
        assert_eq!(spread(&[5.0]), (5.0, 5.0, 5.0));
    }
}
