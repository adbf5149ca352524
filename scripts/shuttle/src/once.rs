//! A cell that is written once, as the standard library's: whoever comes while it is being written waits, for the scheduler.

use std::sync::PoisonError;

use shuttle::sync::Mutex;

pub(crate) struct OnceLock<T> {
    writing: Mutex<()>,
    value: std::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self {
            writing: Mutex::new(()),
            value: std::sync::OnceLock::new(),
        }
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.value.get_or_init(make)
    }

    pub(crate) fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }
}
