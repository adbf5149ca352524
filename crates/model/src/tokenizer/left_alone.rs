//! Threads that nobody waits for any more, and how many there are.
//!
//! `scripts/shuttle` tries the orders in which a thread and whoever waits for it may part.

#[cfg(shuttle)]
use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
#[cfg(not(shuttle))]
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How many threads go on that nobody waits for.
pub(crate) struct LeftAlone(AtomicUsize);

impl LeftAlone {
    pub(crate) const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A thread and whoever waits for it.
pub(crate) struct Pair {
    /// Nobody waits any more, or the thread has ended: set by whoever is first.
    parted: AtomicBool,
}

impl Pair {
    pub(crate) const fn new() -> Self {
        Self {
            parted: AtomicBool::new(false),
        }
    }

    /// Whether the thread may stop: nobody waits for it.
    pub(crate) fn is_left(&self) -> bool {
        self.parted.load(Ordering::Relaxed)
    }

    /// Whoever waited goes away.
    pub(crate) fn leave(&self, alone: &LeftAlone) {
        alone.0.fetch_add(1, Ordering::Relaxed);
        // The thread may have ended just now.
        if self.parted.swap(true, Ordering::Relaxed) {
            alone.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The thread ends.
    pub(crate) fn end(&self, alone: &LeftAlone) {
        if self.parted.swap(true, Ordering::Relaxed) {
            alone.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
