//! What is computed at a request: few questions at a time, so many waiting, each cancelled when nobody wants it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lookback_model::Hooks;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::failure::Failure;
use crate::running::{Running, Unwanted};

/// Questions computed at a time; each uses all cores.
const AT_A_TIME: usize = 2;

/// Questions that may wait.
const WAITING: usize = 512;

/// Threads for them, and for the one text that is being read.
pub(crate) const THREADS: usize = AT_A_TIME + 2;

/// The queue of questions.
pub(crate) struct Queue {
    turn: Arc<Semaphore>,
    room: Arc<Semaphore>,
    running: Running<AtomicBool>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(AT_A_TIME)),
            room: Arc::new(Semaphore::new(WAITING)),
            running: Running::new(),
        }
    }

    /// Computes `question` on a thread of its own, in its turn. Where the request is dropped before its turn,
    /// nothing is computed; after it, the flag that `question` is given is set.
    pub(crate) async fn run<T, F>(&self, question: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&AtomicBool) -> Result<T, Failure> + Send + 'static,
    {
        let _room = self.enter()?;
        let turn = self
            .turn
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Failure::Stopping)?;
        let unwanted = Unwanted(Arc::new(AtomicBool::new(false)));
        let cancel = self.enlist(&unwanted.0);
        let answer = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            question(&cancel)
        });
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Defect),
        }
    }

    /// Computes a stream of answers in its turn; `question` ends when its reader is gone.
    pub(crate) async fn stream<F>(&self, question: F) -> Result<(), Failure>
    where
        F: FnOnce(&AtomicBool) + Send + 'static,
    {
        let _room = self.enter()?;
        let turn = self
            .turn
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Failure::Stopping)?;
        let flag = Arc::new(AtomicBool::new(false));
        let cancel = self.enlist(&flag);
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            question(&cancel);
        });
        Ok(())
    }

    /// Room among those that wait.
    fn enter(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let room = self.room.clone().try_acquire_owned();
        room.map_err(|_| Failure::Busy("questions are waiting"))
    }

    /// Sets the flag of all that is being computed.
    pub(crate) fn cancel_all(&self) {
        self.turn.close();
        self.running.stop();
    }

    fn enlist(&self, flag: &Arc<AtomicBool>) -> Arc<AtomicBool> {
        self.running.add(flag);
        flag.clone()
    }
}

/// Stops a run of the model once the flag is set.
pub(crate) struct Cancel<'a>(pub(crate) &'a AtomicBool);

impl Hooks for Cancel<'_> {
    fn before_layer(&self, _done: usize, _layers: usize) -> ControlFlow<()> {
        match self.0.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Two questions that only end when they are told to, and as many behind them as may wait.
    #[test]
    fn the_queue_is_bounded_and_whoever_leaves_makes_room() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .unwrap();
        let queue = Arc::new(Queue::new());
        let asked = |queue: &Arc<Queue>| {
            let queue = queue.clone();
            runtime.spawn(async move {
                let until_cancelled = |cancel: &AtomicBool| {
                    while !cancel.load(Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Ok(())
                };
                queue.run(until_cancelled).await
            })
        };
        let mut waiting: Vec<_> = (0..WAITING).map(|_| asked(&queue)).collect();
        let is_full = |queue: &Arc<Queue>| runtime.block_on(queue.stream(|_| ())).is_err();
        while queue.room.available_permits() > 0 {
            std::thread::yield_now();
        }
        assert!(is_full(&queue));
        waiting.pop().unwrap().abort();
        while queue.room.available_permits() == 0 {
            std::thread::yield_now();
        }
        queue.cancel_all();
        for question in waiting {
            // Those that were computed end, and those that waited are told that the server stops.
            let _ = runtime.block_on(question).unwrap();
        }
        assert_eq!(queue.room.available_permits(), WAITING);
        assert!(is_full(&queue));
    }
}
