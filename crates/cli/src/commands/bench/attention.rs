//! `bench attention`: the kernels alone, against what this machine can do in the same run.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use lookback_attention::InstructionSet;
use lookback_attention::measure::{BenchmarkCase, Measured, measure};
use serde::Serialize;

use super::machine;
use crate::context::Context;
use crate::progress::Line;
use crate::{interrupt, output};

const EXAMPLES: &str = "\
Examples:
  lookback bench attention
  lookback bench attention --quick --threads 1
  lookback bench attention --instruction-set avx2 --json

Each run is held against the multiply-add peak, and decoding also against the bandwidth of reading
memory, which the same threads reached just before it. Keep the machine otherwise idle. The longest
cache takes 1.1 GB of memory.

Exit codes: 0 measured, 1 failed, 2 wrong usage, 130 interrupted.";

/// Measure the attention kernels: forward, gradients, decoding and observing
///
/// Numbers are medians, with the distance between the quartiles.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchAttentionArgs {
    /// A few small cases: a first look
    #[arg(long)]
    quick: bool,
    /// Threads; RAYON_NUM_THREADS, else all processors, where this is not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Seconds for each case; five runs are made in any case
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    seconds: Duration,
}

/// A number of seconds up to an hour.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("give a number from 0 to 3600".to_owned()),
    }
}

/// Runs the command.
pub(super) fn run(args: &BenchAttentionArgs, context: &Context) -> anyhow::Result<()> {
    let set = InstructionSet::best();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads.map_or(0, usize::from))
        .build()
        .context("no threads could be started")?;
    let cases = match args.quick {
        true => BenchmarkCase::quick(),
        false => BenchmarkCase::standard(),
    };
    let mut measured = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let line = Line::spinner(format!("{} of {}: {}", at + 1, cases.len(), describe(case)));
        let mut go_on = || !interrupt::requested();
        let found = pool.install(|| measure(set, case, args.seconds, &mut go_on))?;
        line.clear();
        interrupt::check()?;
        measured.extend(found.map(|found| (*case, found)));
    }
    let report = Report::new(pool.current_num_threads(), &measured);
    if context.json {
        return output::print_json(&report);
    }
    print(&report, set, &measured)
}

/// All that was measured, in the form that is described in `docs/json/bench.md`.
#[derive(Debug, Serialize)]
struct Report {
    cpu: String,
    threads: usize,
    /// Median over all cases.
    peak_gflops: f64,
    /// Median over the decoding cases.
    read_gbs: f64,
    cases: Vec<Row>,
}

/// One case.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    b: usize,
    h: usize,
    h_kv: usize,
    n: usize,
    m: usize,
    d_k: usize,
    d_v: usize,
    dtype: &'static str,
    threads: usize,
    median_s: f64,
    iqr_s: f64,
    gflops: f64,
    pct_peak: f64,
    gbs: f64,
}

impl Report {
    fn new(threads: usize, measured: &[(BenchmarkCase, Measured)]) -> Self {
        let peaks = measured.iter().map(|(_, found)| found.peak_gflops);
        let reads = measured.iter().filter_map(|(_, found)| found.read_gbs);
        Self {
            cpu: machine::processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            threads,
            peak_gflops: median(peaks.collect()),
            read_gbs: median(reads.collect()),
            cases: measured.iter().map(Row::new).collect(),
        }
    }
}

impl Row {
    fn new((case, found): &(BenchmarkCase, Measured)) -> Self {
        Self {
            name: case.operation.name(),
            b: case.b,
            h: case.h,
            h_kv: case.h_kv,
            n: case.n,
            m: case.m,
            d_k: case.d_k,
            d_v: case.d_v,
            dtype: case.storage.name(),
            threads: found.threads,
            median_s: found.median_s,
            iqr_s: found.iqr_s,
            gflops: found.gflops,
            pct_peak: found.pct_peak,
            gbs: found.gbs,
        }
    }
}

/// The middle of at least one value, of the two middle ones the greater.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// A case in a few words.
fn describe(case: &BenchmarkCase) -> String {
    format!(
        "{} B {} H {}/{} N {} M {} d {} {}",
        case.operation.name(),
        case.b,
        case.h,
        case.h_kv,
        case.n,
        case.m,
        case.d_k,
        case.storage.name()
    )
}

/// Prints it for a person.
fn print(
    report: &Report,
    set: InstructionSet,
    measured: &[(BenchmarkCase, Measured)],
) -> anyhow::Result<()> {
    let mut out = output::stdout();
    writeln!(
        out,
        "{}, {} on {}: {:.0} GFLOP/s of multiply-adds, {:.1} GB/s of reading",
        output::one_line(&report.cpu),
        set.name(),
        output::count(report.threads, "thread"),
        report.peak_gflops,
        report.read_gbs
    )?;
    if cfg!(debug_assertions) {
        writeln!(
            out,
            "Built without --release: these are not the program's speeds."
        )?;
    }
    let bold = anstyle::Style::new().bold();
    writeln!(
        out,
        "\n{bold}{:16} {:>2} {:>5} {:>5} {:>6} {:>4} {:>5} {:>9} {:>7} {:>7} {:>6} {:>6}{bold:#}",
        "case", "B", "H", "N", "M", "d", "type", "ms", "± ms", "GFLOP/s", "% peak", "% read"
    )?;
    for (case, found) in measured {
        let read = found
            .pct_read
            .map_or(String::new(), |part| format!("{part:.1}"));
        writeln!(
            out,
            "{:16} {:>2} {:>5} {:>5} {:>6} {:>4} {:>5} {:>9.3} {:>7.3} {:>7.1} {:>6.1} {:>6}",
            case.operation.name(),
            case.b,
            format!("{}/{}", case.h, case.h_kv),
            case.n,
            case.m,
            case.d_k,
            case.storage.name(),
            found.median_s * 1e3,
            found.iqr_s * 1e3 / 2.0,
            found.gflops,
            found.pct_peak,
            read
        )?;
    }
    writeln!(
        out,
        "\nMedians; ± is half the distance between the quartiles."
    )?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_a_number_within_an_hour() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["-1", "inf", "NaN", "1e9", "", "one"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
