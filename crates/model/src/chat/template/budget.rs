//! What a template may spend.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::fault::{Fault, Result, fault};

/// Steps that a template may take: parts of expressions evaluated, values visited, [`BYTES_A_STEP`] bytes read. Real
/// templates take some hundred a message.
const FUEL: u64 = 2_000_000;

/// Bytes that are compared, searched or copied as one step.
const BYTES_A_STEP: usize = 32;

/// Bytes that a template may ask for in all, freed or not, for the values that it makes.
const MEMORY: usize = 64 << 20;

/// Bytes and steps that each byte of the messages adds: a template copies a message some times.
const A_MESSAGE_BYTE: usize = 16;

/// The longest time. Steps run out long before it; it is there for what they do not count.
const TIME: Duration = Duration::from_secs(5);

/// The deepest that evaluation goes down by recursion: nested expressions, blocks and calls of macros.
const DEPTH: u32 = 600;

/// Steps between two looks at the clock.
const A_LOOK: u64 = 4096;

/// Counts what one rendering spends. Every operation on values asks here *before* it walks or makes them, so that no
/// step can take time or memory that was not counted.
#[derive(Debug)]
pub(super) struct Budget {
    fuel: Cell<u64>,
    memory: Cell<usize>,
    next_look: Cell<u64>,
    depth: Cell<u32>,
    end: Instant,
    limits: Limits,
}

#[derive(Debug)]
struct Limits {
    fuel: u64,
    memory: usize,
}

impl Budget {
    /// For messages of `input` bytes.
    pub(super) fn new(input: usize) -> Self {
        let more = input.saturating_mul(A_MESSAGE_BYTE);
        let fuel = FUEL.saturating_add(more as u64);
        let memory = MEMORY.saturating_add(more);
        Self {
            fuel: Cell::new(fuel),
            memory: Cell::new(memory),
            next_look: Cell::new(fuel.saturating_sub(A_LOOK)),
            depth: Cell::new(0),
            end: Instant::now() + TIME,
            limits: Limits { fuel, memory },
        }
    }

    /// Takes steps.
    pub(super) fn steps(&self, steps: u64) -> Result<()> {
        let left = self.fuel.get().checked_sub(steps);
        let left = left.ok_or_else(|| {
            // What was refused once stays refused.
            self.fuel.set(0);
            let allowed = self.limits.fuel;
            Fault(format!(
                "it ran out of fuel: it takes more than {allowed} steps"
            ))
        })?;
        self.fuel.set(left);
        if left > self.next_look.get() {
            return Ok(());
        }
        self.next_look.set(left.saturating_sub(A_LOOK));
        if Instant::now() > self.end {
            return fault(format!("it takes more than {} seconds", TIME.as_secs()));
        }
        Ok(())
    }

    /// Takes the steps of walking over bytes.
    pub(super) fn walk(&self, bytes: usize) -> Result<()> {
        self.steps(1 + (bytes / BYTES_A_STEP) as u64)
    }

    /// Takes memory, and the steps of filling it.
    pub(super) fn bytes(&self, bytes: usize) -> Result<()> {
        let left = self.memory.get().checked_sub(bytes);
        let left = left.ok_or_else(|| {
            self.memory.set(0);
            let allowed = self.limits.memory >> 20;
            Fault(format!("its values take more than {allowed} MiB of memory"))
        })?;
        self.memory.set(left);
        self.walk(bytes)
    }

    /// Runs `inner` one level deeper.
    pub(super) fn deeper<T>(&self, inner: impl FnOnce() -> Result<T>) -> Result<T> {
        self.descend()?;
        let result = inner();
        self.ascend();
        result
    }

    /// Goes down a level; [`Budget::ascend`] comes back.
    pub(super) fn descend(&self) -> Result<()> {
        let depth = self.depth.get();
        if depth >= DEPTH {
            return fault(format!(
                "its calls and expressions nest more than {DEPTH} deep"
            ));
        }
        self.depth.set(depth + 1);
        Ok(())
    }

    pub(super) fn ascend(&self) {
        self.depth.set(self.depth.get() - 1);
    }
}

/// How many steps it takes to walk over a text.
pub(super) fn text_weight(bytes: usize) -> u64 {
    1 + (bytes / BYTES_A_STEP) as u64
}
