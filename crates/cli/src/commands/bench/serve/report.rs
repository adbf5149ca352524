//! The measurements put together.

use std::io::Write as _;

use lookback_model::store::Resolved;
use serde::Serialize;

use super::measure::Measured;
use crate::commands::bench::machine::Machine;
use crate::commands::bench::spread::Spread;
use crate::output;

/// All that was measured, in the form that is described in `docs/json/bench-serve.md`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    model: String,
    model_sha256: Option<String>,
    library: &'static str,
    /// Whether the program was built with optimisation.
    optimised: bool,
    machine: Machine,
    served: Vec<Measured>,
}

impl Report {
    pub(super) fn new(resolved: &Resolved) -> Self {
        Self {
            model: resolved.name.clone(),
            model_sha256: resolved.sha256.clone(),
            library: concat!("lookback ", env!("CARGO_PKG_VERSION")),
            optimised: !cfg!(debug_assertions),
            machine: Machine::this(),
            served: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, measured: Measured) {
        self.served.push(measured);
    }

    /// Prints it for a person.
    pub(super) fn print(&self) -> anyhow::Result<()> {
        let mut out = output::stdout();
        let machine = self.machine.describe();
        writeln!(out, "{}: {machine}", output::one_line(&self.model))?;
        if !self.optimised {
            writeln!(
                out,
                "Built without --release: these are not the program's speeds."
            )?;
        }
        for served in &self.served {
            print_one(&mut out, served)?;
        }
        out.flush()?;
        Ok(())
    }
}

fn print_one(out: &mut impl std::io::Write, served: &Measured) -> anyhow::Result<()> {
    let bold = anstyle::Style::new().bold();
    let what = match served.model {
        true => "with the model",
        false => "the trace alone",
    };
    let tokens = output::count(served.tokens, "token");
    writeln!(out, "\n{bold}{tokens}, {what}{bold:#}")?;
    let mut line = |name: &str, value: String| writeln!(out, "  {name:<40} {value}");
    if let Some(seconds) = served.prefill_seconds {
        line("reading the text", format!("{seconds:.2} s"))?;
    }
    line("usable after that", ms(served.usable_seconds))?;
    line("a word over all heads", spread(&served.word_seconds))?;
    for tile in &served.tiles {
        let name = match tile.cell {
            1 => "a tile, each weight a cell".to_owned(),
            cell => format!("a tile, cells of {cell} × {cell} weights"),
        };
        line(&name, spread(&tile.seconds))?;
    }
    let grid = format!(
        "first {}, all {:.2} s",
        ms(served.grid_first_seconds),
        served.grid_seconds
    );
    let heads = output::count(served.heads, "head");
    line(&format!("pictures of {heads}"), grid)?;
    let memory = |bytes: Option<u64>| bytes.map_or("?".to_owned(), output::bytes);
    let memory = format!(
        "{}, {} at the end",
        memory(served.resident_bytes_before),
        memory(served.resident_bytes)
    );
    line("memory before the first question", memory)?;
    Ok(())
}

fn ms(seconds: f64) -> String {
    format!("{:.1} ms", 1e3 * seconds)
}

fn spread(of: &Spread) -> String {
    format!("{} ({}–{})", ms(of.median), ms(of.min), ms(of.max))
}
