//! What training costs: seconds on the clock, and of processors.

use std::time::Instant;

use serde::{Deserialize, Serialize};

/// Time that work took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Seconds on the clock.
    pub seconds: f64,
    /// Seconds of all this process's threads on processors, where the system says (Linux): what others do on the
    /// machine does not count.
    pub cpu_seconds: Option<f64>,
}

impl Timing {
    pub(crate) fn nothing() -> Self {
        Self {
            seconds: 0.0,
            cpu_seconds: cpu_seconds().map(|_| 0.0),
        }
    }

    /// What both took together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = |(one, other)| one + other;
        Self {
            seconds: self.seconds + other.seconds,
            cpu_seconds: self.cpu_seconds.zip(other.cpu_seconds).map(both),
        }
    }
}

/// Runs from when it was started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch {
    began: Instant,
    cpu: Option<f64>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self {
            began: Instant::now(),
            cpu: cpu_seconds(),
        }
    }

    pub(crate) fn elapsed(self) -> Timing {
        Timing {
            seconds: self.began.elapsed().as_secs_f64(),
            cpu_seconds: self
                .cpu
                .zip(cpu_seconds())
                .map(|(before, now)| now - before),
        }
    }
}

/// Seconds that this process's threads have had so far, where Linux says so, in steps of a hundredth: `utime` and `stime`
/// of proc(5).
fn cpu_seconds() -> Option<f64> {
    /// Of the clock that proc(5) counts in, on all processors that Lookback runs on.
    const TICKS_A_SECOND: f64 = 100.0;
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in brackets, may hold anything; utime is the 12th field after it.
    let (_, fields) = text.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let mut time = || times.next()?.parse::<f64>().ok();
    Some((time()? + time()?) / TICKS_A_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time_on_the_clock_and_on_a_processor() {
        let watch = Stopwatch::start();
        let mut sum = 0.0_f64;
        while watch.elapsed().seconds < 0.02 {
            sum += std::hint::black_box(1.0);
        }
        let took = watch.elapsed();
        assert!(sum > 0.0 && took.seconds >= 0.02);
        assert!(took.cpu_seconds.is_none_or(|seconds| seconds >= 0.0));
        assert_eq!(took.and(took).seconds, 2.0 * took.seconds);
    }
}
