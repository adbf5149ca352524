//! What the numbers were measured on.

use std::process::Command;

use lookback_attention::InstructionSet;
use serde::Serialize;

use crate::output;

/// Processor and threads.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    /// The processor's name, where the system says it.
    processor: Option<String>,
    /// Logical processors that this process may use.
    available: usize,
    /// Threads of attention and of products on f32 weights: `RAYON_NUM_THREADS`, else all.
    rayon_threads: usize,
    /// Threads of products on quantised weights: `CANDLE_NUM_THREADS`, else the same.
    candle_threads: usize,
    /// What the attention kernel runs on.
    instruction_set: &'static str,
    os: &'static str,
    architecture: &'static str,
}

impl Machine {
    pub(super) fn this() -> Self {
        let threads = lookback_model::threads();
        Self {
            processor: processor(),
            available: std::thread::available_parallelism().map_or(1, usize::from),
            rayon_threads: threads.rayon,
            candle_threads: threads.candle,
            instruction_set: InstructionSet::best().name(),
            os: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
        }
    }

    /// In one line.
    pub(super) fn describe(&self) -> String {
        format!(
            "{}, {} (RAYON_NUM_THREADS), {} for quantised products (CANDLE_NUM_THREADS), {}",
            self.processor.as_deref().unwrap_or(self.architecture),
            output::count(self.rayon_threads, "thread"),
            self.candle_threads,
            self.instruction_set
        )
    }
}

/// The processor's name.
pub(super) fn processor() -> Option<String> {
    let name = match std::env::consts::OS {
        "linux" => {
            let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
            let line = info.lines().find(|line| line.starts_with("model name"))?;
            line.split_once(':')?.1.to_owned()
        }
        "macos" => {
            let asked = Command::new("sysctl")
                .args(["-n", "machdep.cpu.brand_string"])
                .output()
                .ok()?;
            String::from_utf8(asked.stdout).ok()?
        }
        _ => std::env::var("PROCESSOR_IDENTIFIER").ok()?,
    };
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    (!name.is_empty()).then_some(name)
}

/// The most memory that this process has held so far, in bytes, where the system says it (Linux).
pub(super) fn peak_memory() -> Option<u64> {
    memory("VmHWM:")
}

/// The memory that this process holds, in bytes, where the system says it (Linux).
pub(super) fn resident_memory() -> Option<u64> {
    memory("VmRSS:")
}

fn memory(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn peak_memory_sees_what_was_held() {
        const BYTES: usize = 64 << 20;
        let before = peak_memory().expect("linux says it");
        let held = std::hint::black_box(vec![1_u8; BYTES]);
        let after = peak_memory().expect("linux says it");
        assert_eq!(held.len(), BYTES);
        assert!(after >= BYTES as u64 && after >= before);
    }
}
