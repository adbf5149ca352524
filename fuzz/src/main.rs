//! Feeds changed files to every reader, with the stable toolchain. See the README.

mod corpus;
mod mutate;
mod server;
mod targets;
mod words;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use corpus::{Corpus, Input};
use mutate::{Random, mutated};
use targets::{ALL, Place, Target};

/// The longest that an input may take, and the most memory that it may take together.
const SLOW: Duration = Duration::from_secs(8);
const LARGE: isize = 256 << 20;

/// How often it is said how far a run is.
const SAYS: Duration = Duration::from_secs(60);

/// The most inputs that were taken to be good and are changed further.
const GROWS: usize = 2000;

struct Watching;

/// Bytes in use, and the most since an input began.
static NOW: AtomicIsize = AtomicIsize::new(0);
static MOST: AtomicIsize = AtomicIsize::new(0);

/// Panics, in whatever thread, whoever catches them.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count(bytes: isize) {
    let now = NOW.fetch_add(bytes, Relaxed) + bytes;
    if now > MOST.load(Relaxed) {
        MOST.fetch_max(now, Relaxed);
    }
}

// SAFETY: every call is passed on to the system's allocator unchanged; the counters touch no
// memory of their own.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
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
    seconds: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(run) = parse(&arguments) else {
        let names = ALL.map(|(name, _)| name).join(", ");
        eprintln!("usage: lookback-fuzz TARGET EXECUTIONS [SEED [SECONDS]]; targets: {names}");
        return ExitCode::from(2);
    };
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Relaxed);
        before(panic);
    }));
    match run.go() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: &[String]) -> Option<Run> {
    let (name, executions, rest) = match arguments {
        [name, executions, rest @ ..] if rest.len() <= 2 => (name, executions, rest),
        _ => return None,
    };
    let (name, target) = ALL.into_iter().find(|(known, _)| known == name)?;
    let number = |at: usize, otherwise: u64| match rest.get(at) {
        Some(text) => text.parse().ok(),
        None => Some(otherwise),
    };
    Some(Run {
        name,
        target,
        executions: executions.parse().ok()?,
        seed: number(0, 1)?,
        seconds: number(1, u64::MAX)?,
    })
}

/// What came of a run so far.
#[derive(Default)]
struct Tally {
    executions: u64,
    good: u64,
    bad: u64,
    longest: Duration,
    slowest: Vec<u8>,
    most: isize,
}

impl Run {
    /// Runs; how many inputs were answered badly.
    fn go(&self) -> io::Result<u64> {
        let mut corpus = Corpus::of(self.target, self.name)?;
        let place = Place::new(self.target, &corpus)?;
        let (most, start) = (corpus.inputs.len() + GROWS, Instant::now());
        let mut random = Random::new(self.seed);
        let (mut tally, mut said) = (Tally::default(), start);
        while tally.executions < self.executions && start.elapsed().as_secs() < self.seconds {
            let input = mutated(
                &mut random,
                &corpus.inputs,
                self.target.words(),
                self.target.reach(),
            );
            let is_good = self.feed(&place, &input, &mut tally)?;
            if is_good && corpus.inputs.len() < most && random.below(20) == 0 {
                corpus.inputs.push(input);
            }
            if said.elapsed() >= SAYS {
                said = Instant::now();
                self.say(&tally, start);
            }
        }
        self.say(&tally, start);
        self.keep("slowest", &tally.slowest)?;
        Ok(tally.bad)
    }

    /// Feeds one input, and keeps it where its answer is a bad one; whether it was taken to be good.
    fn feed(&self, place: &Place, input: &Input, tally: &mut Tally) -> io::Result<bool> {
        let before = NOW.load(Relaxed);
        MOST.store(before, Relaxed);
        let panics = PANICS.load(Relaxed);
        let began = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| place.feed(input)));
        let took = began.elapsed();
        let memory = MOST.load(Relaxed) - before;
        let fault = match &answer {
            Ok(Err(error)) => return Err(io::Error::other(error.to_string())),
            _ if PANICS.load(Relaxed) > panics => Some("panicked"),
            _ if took > SLOW => Some("was slow"),
            _ if memory > LARGE => Some("took memory"),
            _ => None,
        };
        if let Some(fault) = fault {
            tally.bad += 1;
            let path = self.keep(&format!("{}-{}", self.seed, tally.executions), &input.bytes)?;
            println!(
                "{} {fault} ({took:.2?}, {memory} bytes, origin {}): {}",
                self.name,
                input.origin,
                path.display()
            );
        }
        if took > tally.longest {
            tally.longest = took;
            tally.slowest.clone_from(&input.bytes);
        }
        tally.most = tally.most.max(memory);
        tally.executions += 1;
        let is_good = matches!(answer, Ok(Ok(true)));
        tally.good += u64::from(is_good);
        Ok(is_good)
    }

    fn say(&self, tally: &Tally, start: Instant) {
        println!(
            "{}: {} executions from seed {} in {:.0} s, {} taken to be good, {} bad, the longest {:.2?}, the most memory {:.1} MB",
            self.name,
            tally.executions,
            self.seed,
            start.elapsed().as_secs_f64(),
            tally.good,
            tally.bad,
            tally.longest,
            tally.most as f64 / 1e6,
        );
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("findings")
            .join(self.name);
        fs::create_dir_all(&folder)?;
        let path = folder.join(name);
        fs::write(&path, bytes)?;
        Ok(path)
    }
}
