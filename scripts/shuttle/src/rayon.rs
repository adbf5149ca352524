//! Rayon's pool, with threads of the scheduler's.

use std::cell::Cell;

use shuttle::thread;

std::thread_local! {
    static THREADS: Cell<usize> = const { Cell::new(2) };
}

/// Says how many threads the pool has; for the whole of a model.
pub(crate) fn set_threads(threads: usize) {
    THREADS.set(threads);
}

pub(crate) fn current_num_threads() -> usize {
    THREADS.get()
}

pub(crate) struct Scope<'scope, 'env>(&'scope thread::Scope<'scope, 'env>);

impl<'scope> Scope<'scope, '_> {
    pub(crate) fn spawn(&self, work: impl FnOnce(()) + Send + 'scope) {
        self.0.spawn(move || work(()));
    }
}

pub(crate) fn scope<'env, T>(run: impl for<'scope> FnOnce(&Scope<'scope, 'env>) -> T) -> T {
    thread::scope(|scope| run(&Scope(scope)))
}
