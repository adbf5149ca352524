//! Ctrl-C, and the signals that mean the same.
//!
//! The program stops at once with exit code 130, except where something has to be removed first (a child process, a
//! half-written file): such a stretch holds a [`Graceful`] and looks at [`requested`]. It has two seconds; a second
//! signal does not wait.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Exit code of an interrupted run: 128 + SIGINT.
pub(crate) const EXIT_CODE: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);
static GRACEFUL: AtomicUsize = AtomicUsize::new(0);

/// The run was interrupted.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Begins to listen for the signals.
pub(crate) fn install() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        let second = REQUESTED.swap(true, SeqCst);
        if !second {
            let until = Instant::now() + Duration::from_secs(2);
            while GRACEFUL.load(SeqCst) > 0 && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        std::process::exit(i32::from(EXIT_CODE));
    })?;
    Ok(())
}

/// Whether the person asked to stop.
pub(crate) fn requested() -> bool {
    REQUESTED.load(SeqCst)
}

/// Fails where the person asked to stop.
pub(crate) fn check() -> Result<(), Interrupted> {
    if requested() {
        Err(Interrupted)
    } else {
        Ok(())
    }
}

/// Whether work goes on: `Break` where the person asked to stop.
pub(crate) fn flow() -> ControlFlow<()> {
    match requested() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// Says that something has to be removed before the program may end, until it is dropped.
pub(crate) fn graceful() -> Graceful {
    GRACEFUL.fetch_add(1, SeqCst);
    Graceful(())
}

/// See [`graceful`].
pub(crate) struct Graceful(());

impl Drop for Graceful {
    fn drop(&mut self) {
        GRACEFUL.fetch_sub(1, SeqCst);
    }
}
