//! Work on all threads of rayon's current pool.
//!
//! `scripts/shuttle` tries the orders in which they may meet, here and where they share what is to be done or was found
//! (`forward/heads.rs`, `observe/merge.rs`, `backward/queue.rs`).

#[cfg(not(shuttle))]
use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering},
};

#[cfg(shuttle)]
use shuttle::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering},
};

#[cfg(shuttle)]
use crate::rayon;

/// Runs `work` on each thread of the current pool at once, but on no more than `most`.
pub(crate) fn on_every_thread(most: usize, work: impl Fn() + Sync) {
    match rayon::current_num_threads().min(most) {
        0 | 1 => work(),
        threads => rayon::scope(|scope| {
            (1..threads).for_each(|_| scope.spawn(|_| work()));
            work();
        }),
    }
}

/// Calls `work` with every number below `count`, on all threads, each of which takes the next number when it is done with one and
/// has a workspace of its own.
pub(crate) fn share_out<W>(
    count: usize,
    workspace: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, usize) + Sync,
) {
    let next = AtomicUsize::new(0);
    on_every_thread(count, || {
        let mut workspace = workspace();
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && at < count
        {
            work(&mut workspace, at);
        }
    });
}

/// What a mutex guards, also after a panic elsewhere: everything that is locked here is as good after one as before.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
