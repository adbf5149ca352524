//! Feeds changed files to every reader, with the stable toolchain. See the README.

mod mutate;
mod server;
mod targets;
mod words;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::io;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use mutate::{Random, mutated};
use targets::{ALL, Place, Target, corpus};

/// The longest that an input may take, and the most memory that may be asked for at once.
const SLOW: Duration = Duration::from_secs(8);
const LARGE: usize = 256 << 20;

/// The most inputs that were taken to be good and are changed further.
const GROWS: usize = 2000;

struct Watching;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged; the counter touches no
// memory of its own.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Relaxed);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from `alloc` above with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// A run.
struct Run {
    name: &'static str,
    target: Target,
    seed: u64,
    executions: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let run = match arguments.as_slice() {
        [name, executions] => parse(name, executions, "1"),
        [name, executions, seed] => parse(name, executions, seed),
        _ => None,
    };
    let Some(run) = run else {
        let names = ALL.map(|(name, _)| name).join(", ");
        eprintln!("usage: lookback-fuzz TARGET EXECUTIONS [SEED]; targets: {names}");
        return ExitCode::from(2);
    };
    match run.go() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn parse(name: &str, executions: &str, seed: &str) -> Option<Run> {
    let (name, target) = ALL.into_iter().find(|(known, _)| *known == name)?;
    Some(Run {
        name,
        target,
        seed: seed.parse().ok()?,
        executions: executions.parse().ok()?,
    })
}

impl Run {
    /// Runs; how many inputs were answered badly.
    fn go(&self) -> io::Result<u64> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut corpus = corpus(self.target, self.name)?;
        let place = Place::new(self.target)?;
        let (most, start) = (corpus.len() + GROWS, Instant::now());
        let mut random = Random::new(self.seed);
        let (mut bad, mut good, mut worst) = (0, 0_u64, Duration::ZERO);
        for execution in 0..self.executions {
            let bytes = mutated(
                &mut random,
                &corpus,
                self.target.words(),
                self.target.reach(),
            );
            LARGEST.store(0, Relaxed);
            let began = Instant::now();
            let answer = catch_unwind(|| place.feed(&bytes));
            let took = began.elapsed();
            worst = worst.max(took);
            let fault = match &answer {
                Err(_) => Some("panicked"),
                Ok(_) if took > SLOW => Some("was slow"),
                Ok(_) if LARGEST.load(Relaxed) > LARGE => Some("took memory"),
                Ok(_) => None,
            };
            if let Some(fault) = fault {
                bad += 1;
                let path = self.keep(root, execution, &bytes)?;
                println!("{} {fault}: {}", self.name, path.display());
            }
            if matches!(answer, Ok(Ok(true))) {
                good += 1;
                if corpus.len() < most && random.below(20) == 0 {
                    corpus.push(bytes);
                }
            }
        }
        println!(
            "{}: {} executions from seed {} in {:.0} s, {good} taken to be good, {bad} bad, the longest {worst:.2?}",
            self.name,
            self.executions,
            self.seed,
            start.elapsed().as_secs_f64()
        );
        Ok(bad)
    }

    fn keep(&self, root: &Path, execution: u64, bytes: &[u8]) -> io::Result<PathBuf> {
        let folder = root.join("findings").join(self.name);
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}-{execution}", self.seed));
        fs::write(&path, bytes)?;
        Ok(path)
    }
}
