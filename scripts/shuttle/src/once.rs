//! A cell that is written once, as the standard library's: whoever comes while it is being written waits.

use std::cell::UnsafeCell;

use shuttle::sync::Once;

pub(crate) struct OnceLock<T> {
    once: Once,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is written within `Once::call_once` alone, and read by those that came after it.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self {
            once: Once::new(),
            value: UnsafeCell::new(None),
        }
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        // SAFETY: nobody else is here before it is written, and nobody writes after that.
        self.once
            .call_once(|| unsafe { *self.value.get() = Some(make()) });
        // SAFETY: it was written.
        unsafe { (*self.value.get()).as_ref().expect("it was written") }
    }

    pub(crate) fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }
}
