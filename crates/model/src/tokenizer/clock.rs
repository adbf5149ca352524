//! The time that encoding a text may take, and work that cannot be broken off within it.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::Error;
use super::left_alone::{LeftAlone, Pair};

/// The longest time for a text, and what each of its bytes adds. Real tokenizers take less than a microsecond a byte.
const TIME: Duration = Duration::from_secs(5);
const TIME_A_BYTE: Duration = Duration::from_micros(4);

/// How often it is looked whether the text is still wanted while a step goes on that cannot be broken off.
const LOOK: Duration = Duration::from_millis(20);

/// How many threads may be left to themselves at a time.
const MOST_LEFT: usize = 8;

/// Threads that are left to themselves.
static LEFT: LeftAlone = LeftAlone::new();

/// When encoding a text has to be done, and whether somebody still wants it.
pub(super) struct Clock<'a> {
    deadline: Deadline,
    cancelled: &'a dyn Fn() -> bool,
}

/// When a text has to be done.
#[derive(Clone, Copy)]
struct Deadline {
    start: Instant,
    allowed: Duration,
}

impl<'a> Clock<'a> {
    pub(super) fn start(text: &str, cancelled: &'a dyn Fn() -> bool) -> Self {
        let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let deadline = Deadline {
            start: Instant::now(),
            allowed: TIME + TIME_A_BYTE * bytes,
        };
        Self {
            deadline,
            cancelled,
        }
    }

    /// Fails where the time is up, or nobody wants the text any more.
    pub(super) fn check(&self) -> Result<(), Error> {
        if (self.cancelled)() {
            return Err(Error::Cancelled);
        }
        self.deadline.check()
    }

    /// The same for work that asks within itself.
    pub(super) fn waiting(&self) -> Waiting {
        Waiting {
            deadline: self.deadline,
            pair: Pair::new(),
        }
    }

    /// What `work` gives, which has steps that cannot be broken off: it is done on a thread of its own, which is left to itself
    /// where it takes too long or its text is not wanted any more.
    pub(super) fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Waiting) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.check()?;
        if LEFT.count() >= MOST_LEFT {
            return Err(Error::Encode {
                detail: format!(
                    "{MOST_LEFT} texts before it are still being cut, whose time is up: this tokenizer stalls"
                ),
            });
        }
        let waiting = Arc::new(self.waiting());
        let end = End(Arc::clone(&waiting));
        let (sender, receiver) = sync_channel(1);
        let run = move || {
            let done = work(&end.0);
            // Where nobody waits any more, nothing is sent.
            let _ = sender.send(done);
        };
        let thread = std::thread::Builder::new().name("words".to_owned());
        thread.spawn(run).map_err(|error| Error::Encode {
            detail: format!("there is no thread to cut it on: {error}"),
        })?;
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok(done) => return done,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Encode {
                        detail: "cutting it failed".to_owned(),
                    });
                }
            }
            if let Err(error) = self.check() {
                waiting.pair.leave(&LEFT);
                return Err(error);
            }
        }
    }
}

impl Deadline {
    fn check(self) -> Result<(), Error> {
        if self.start.elapsed() <= self.allowed {
            return Ok(());
        }
        Err(Error::Slow {
            seconds: self.allowed.as_secs(),
        })
    }
}

/// What a thread that works on a text knows of whoever waits for it.
pub(super) struct Waiting {
    deadline: Deadline,
    pair: Pair,
}

impl Waiting {
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.pair.is_left() {
            return Err(Error::Cancelled);
        }
        self.deadline.check()
    }
}

/// Says that the thread has ended, after a panic too.
struct End(Arc<Waiting>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.pair.end(&LEFT);
    }
}
