//! The measurements put together.

use std::io::Write;

use lookback_model::store::Resolved;
use serde::Serialize;

use super::machine::Machine;
use super::measure::{Kind, Measured, Task};
use super::spread::Spread;
use crate::output::{self, count};

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
    /// Tokens of the text that is read, or of the cache that decoding begins with.
    length: usize,
    /// Which numbers were computed on.
    weights: String,
    /// Tokens that one run read or wrote.
    tokens: usize,
    tokens_per_second: Spread,
    seconds: Spread,
    /// The most memory that the process held, the model included; none where the system does not say.
    peak_memory_bytes: Option<u64>,
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
        let parts = [
            ("prefill, trace kept", "length", &self.prefill),
            ("decode", "depth", &self.decode),
        ];
        for (title, length, speeds) in parts {
            write_part(&mut out, (title, length), speeds)?;
        }
        writeln!(
            out,
            "Medians of {}; memory is the process's peak, the model included.",
            count(self.runs, "run")
        )?;
        out.flush()?;
        Ok(())
    }
}

/// A table of speeds, whose first column is as wide as its widest cell: which numbers are computed on is said at length.
fn write_part(
    out: &mut impl Write,
    (title, length): (&str, &str),
    speeds: &[Speed],
) -> std::io::Result<()> {
    let bold = anstyle::Style::new().bold();
    let names = speeds.iter().map(|speed| speed.weights.as_str());
    let widths = names.chain([title]).map(|name| name.chars().count());
    let wide = widths.max().unwrap_or(0);
    writeln!(
        out,
        "{bold}{title:<wide$}{bold:#} {length:>6}  {:>9}  {:>17}  {:>9}  {:>8}",
        "tokens/s", "slowest–fastest", "seconds", "memory"
    )?;
    for speed in speeds {
        let rate = speed.tokens_per_second;
        let memory = speed.peak_memory_bytes;
        writeln!(
            out,
            "{:<wide$} {:>6}  {:>9.1}  {:>17}  {:>9.3}  {:>8}",
            speed.weights,
            speed.length,
            rate.median,
            format!("{:.1}–{:.1}", rate.min, rate.max),
            speed.seconds.median,
            memory.map_or("?".to_owned(), output::bytes),
        )?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_stand_over_their_columns() {
        let one = Spread {
            median: 1.5,
            min: 1.0,
            max: 2.0,
        };
        let speed = |weights: &str, length| Speed {
            length,
            weights: weights.to_owned(),
            tokens: 8,
            tokens_per_second: one,
            seconds: one,
            peak_memory_bytes: Some(683_000_000),
        };
        let speeds = [
            speed("f32 (dequantised from Q4_1 and Q8_0)", 128),
            speed("f32", 8160),
        ];
        let mut out = Vec::new();
        write_part(&mut out, ("decode", "depth"), &speeds).unwrap();
        let plain = anstream::adapter::strip_bytes(&out).into_vec();
        let plain = String::from_utf8(plain).unwrap();
        // Columns stand to the right: each ends where its header does.
        let ends = |line: &str, cells: [&str; 3]| {
            cells.map(|cell| {
                line[..line.find(cell).unwrap() + cell.len()]
                    .chars()
                    .count()
            })
        };
        let lines: Vec<&str> = plain.lines().collect();
        let header = ends(lines[0], ["depth", "tokens/s", "memory"]);
        assert_eq!(
            header,
            ends(lines[1], ["128", " 1.5", "683.0 MB"]),
            "{plain}"
        );
        assert_eq!(
            header,
            ends(lines[2], ["8160", " 1.5", "683.0 MB"]),
            "{plain}"
        );
    }
}
