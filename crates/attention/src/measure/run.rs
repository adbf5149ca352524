//! Measuring a case.

use std::time::{Duration, Instant};

use super::benchmark_case::{BenchmarkCase, Operation};
use super::limits::{peak_gflops, read_gbs};
use super::prepare::prepare;
use crate::{Error, InstructionSet};

/// f32 that are read to measure the bandwidth: 256 MiB.
const MEMORY: usize = 64 << 20;

/// Runs at least, where nothing stops them.
const RUNS: usize = 5;

/// What was measured of a case, on the threads that [`measure`] ran on.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Threads.
    pub threads: usize,
    /// Runs.
    pub runs: usize,
    /// Seconds of a run: median.
    pub median_s: f64,
    /// Seconds between the quartiles.
    pub iqr_s: f64,
    /// 10⁹ useful operations a second, of the median run.
    pub gflops: f64,
    /// Useful operations in % of the multiply-add peak of all threads, measured before each run: median of the ratios.
    pub pct_peak: f64,
    /// 10⁹ bytes a second that are read and written at least, of the median run.
    pub gbs: f64,
    /// Bytes of the cache in % of the bandwidth at which the threads read memory, measured before each run: median of
    /// the ratios. Of decoding only.
    pub pct_read: Option<f64>,
    /// 10⁹ multiply-add operations a second of all threads: median.
    pub peak_gflops: f64,
    /// 10⁹ bytes a second of reading: median. Of decoding only.
    pub read_gbs: Option<f64>,
}

/// Measures a case for about `budget`, and five runs at least, on the threads of the current pool.
///
/// One run before the first is not counted. `go_on` is asked before every run; where it says no, there is no result.
///
/// # Errors
/// Those of the operation: shapes that do not fit.
pub fn measure(
    set: InstructionSet,
    case: &BenchmarkCase,
    budget: Duration,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<Measured>, Error> {
    let mut run = prepare(set, case);
    let memory = match case.operation {
        Operation::Decode => vec![1.0; MEMORY],
        _ => Vec::new(),
    };
    run()?;
    let (mut times, mut peaks, mut reads) = (Vec::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    while times.len() < RUNS || began.elapsed() < budget {
        if !go_on() {
            return Ok(None);
        }
        peaks.push(rayon::broadcast(|_| peak_gflops(set, 2)).iter().sum());
        if !memory.is_empty() {
            reads.push(read_gbs(set, &memory));
        }
        let start = Instant::now();
        run()?;
        times.push(start.elapsed().as_secs_f64());
    }
    let ratios = |per_run: f64, limits: &[f64]| -> Vec<f64> {
        let pairs = times.iter().zip(limits);
        pairs
            .map(|(time, limit)| 100.0 * per_run / time / 1e9 / limit)
            .collect()
    };
    let median_s = quantile(&times, 0.5);
    let of_reads = |values: &[f64]| (!reads.is_empty()).then(|| quantile(values, 0.5));
    Ok(Some(Measured {
        threads: rayon::current_num_threads(),
        runs: times.len(),
        median_s,
        iqr_s: quantile(&times, 0.75) - quantile(&times, 0.25),
        gflops: case.flops() / median_s / 1e9,
        pct_peak: quantile(&ratios(case.flops(), &peaks), 0.5),
        gbs: case.bytes() as f64 / median_s / 1e9,
        pct_read: of_reads(&ratios(case.cache_bytes() as f64, &reads)),
        peak_gflops: quantile(&peaks, 0.5),
        read_gbs: of_reads(&reads),
    }))
}

/// The value below which a part of the values lies, of at least one value; between two of them, in proportion.
fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() - 1) as f64 * part;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(&values, 0.5), 2.5);
        assert_eq!(quantile(&values, 0.25), 1.75);
        assert_eq!(quantile(&values, 1.0), 4.0);
        assert_eq!(quantile(&[7.0], 0.75), 7.0);
    }

    #[test]
    fn every_operation_is_measured_and_can_be_stopped() {
        let small = BenchmarkCase {
            h: 2,
            h_kv: 1,
            n: 20,
            m: 20,
            ..BenchmarkCase::FORWARD
        };
        let set = InstructionSet::best();
        let operations = [
            Operation::Forward,
            Operation::ForwardBackward,
            Operation::Observe,
            Operation::ForwardObserve,
        ];
        for operation in operations {
            let case = BenchmarkCase { operation, ..small };
            let found = measure(set, &case, Duration::ZERO, &mut || true).expect("valid");
            let found = found.expect("not stopped");
            assert!(found.runs == RUNS && found.pct_peak > 0.0 && found.pct_read.is_none());
            let stopped = measure(set, &case, Duration::ZERO, &mut || false);
            assert_eq!(stopped, Ok(None));
        }
    }
}
