//! The flags of what is being computed: all are set when the server stops.
//!
//! `scripts/shuttle` tries the orders in which threads may use it.

use std::sync::{Arc, PoisonError, Weak};

#[cfg(shuttle)]
use shuttle::sync::Mutex;
#[cfg(not(shuttle))]
use std::sync::Mutex;

/// A flag that says that an answer is not wanted any more.
pub(crate) trait Flag {
    fn set(&self);
}

impl Flag for std::sync::atomic::AtomicBool {
    fn set(&self) {
        self.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Sets its flag when it is dropped: the answer is not wanted any more once its request is gone.
pub(crate) struct Unwanted<F: Flag>(pub(crate) Arc<F>);

impl<F: Flag> Drop for Unwanted<F> {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// What is being computed.
pub(crate) struct Running<F>(Mutex<State<F>>);

struct State<F> {
    flags: Vec<Weak<F>>,
    stopped: bool,
}

impl<F: Flag> Running<F> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            flags: Vec::new(),
            stopped: false,
        }))
    }

    /// Adds what begins. Where all was stopped meanwhile, it is stopped too.
    pub(crate) fn add(&self, flag: &Arc<F>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.flags.retain(|flag| flag.strong_count() > 0);
        state.flags.push(Arc::downgrade(flag));
        if state.stopped {
            flag.set();
        }
    }

    /// Sets the flag of all that is being computed, and of what begins from now on.
    pub(crate) fn stop(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.stopped = true;
        for flag in state.flags.iter().filter_map(Weak::upgrade) {
            flag.set();
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// A question may have got its turn just before the queue was closed, and begin just after all others were stopped.
    #[test]
    fn what_begins_after_the_stop_is_stopped() {
        let running = Running::new();
        let flags = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        running.add(&flags[0]);
        running.stop();
        running.add(&flags[1]);
        assert!(flags.iter().all(|flag| flag.load(Ordering::Relaxed)));
    }
}
