//! What a run reports to.

use std::ops::ControlFlow;

/// What a run reports to while it computes. Every method does nothing unless it is overridden.
pub trait Hooks: Sync {
    /// Called before each layer with the number of layers done and their total; `Break` stops the run
    /// with [`Error::Cancelled`](crate::Error::Cancelled).
    fn before_layer(&self, done: usize, layers: usize) -> ControlFlow<()> {
        let _ = (done, layers);
        ControlFlow::Continue(())
    }
}

/// No hooks.
impl Hooks for () {}
