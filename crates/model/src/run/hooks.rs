//! What a run reports to, and is changed by.

use std::ops::ControlFlow;

use ndarray::{ArrayView2, ArrayView3};

use super::Interventions;

/// What a run reports to while it computes, and what changes it. Every method does nothing unless it is overridden.
pub trait Hooks: Sync {
    /// Called before each layer with the number of layers done and their total; `Break` stops the run
    /// with [`Error::Cancelled`](crate::Error::Cancelled).
    fn before_layer(&self, done: usize, layers: usize) -> ControlFlow<()> {
        let _ = (done, layers);
        ControlFlow::Continue(())
    }

    /// What the run's attention is changed in.
    fn interventions(&self) -> Option<&Interventions> {
        None
    }

    /// Called with each layer's attention once it is computed, after all changes and before W_o.
    fn attended(&self, layer: &Attended) {
        let _ = layer;
    }

    /// Called with the last layer's output of the positions whose logits are computed, before the final norm:
    /// \[positions, d\].
    fn before_final_norm(&self, hidden: ArrayView2<f32>) {
        let _ = hidden;
    }
}

/// No hooks.
impl Hooks for () {}

/// One layer's attention, as it was computed: N new tokens, M tokens in all.
#[derive(Debug, Clone, Copy)]
pub struct Attended<'a> {
    /// The layer.
    pub layer: usize,
    /// The position of the first of the N tokens, M − N.
    pub first: usize,
    /// Queries as the scores use them: \[H, N, d_k\].
    pub q: ArrayView3<'a, f32>,
    /// Keys as the scores use them: \[H_kv, M, d_k\].
    pub k: ArrayView3<'a, f32>,
    /// Values: \[H_kv, M, d_v\].
    pub v: ArrayView3<'a, f32>,
    /// Natural log-sum-exps: \[H, N\].
    pub lse: ArrayView2<'a, f32>,
    /// The heads' outputs: \[H, N, d_v\].
    pub z: ArrayView3<'a, f32>,
}

impl Hooks for Interventions {
    fn interventions(&self) -> Option<&Interventions> {
        Some(self)
    }
}

impl Interventions {
    /// These interventions, with `hooks` to hear of the run's progress and of what it computes.
    pub fn and<'a>(&'a self, hooks: &'a dyn Hooks) -> WithInterventions<'a> {
        WithInterventions {
            interventions: self,
            hooks,
        }
    }
}

/// Interventions and the hooks of one run; made by [`Interventions::and`].
#[derive(Clone, Copy)]
pub struct WithInterventions<'a> {
    interventions: &'a Interventions,
    hooks: &'a dyn Hooks,
}

impl Hooks for WithInterventions<'_> {
    fn before_layer(&self, done: usize, layers: usize) -> ControlFlow<()> {
        self.hooks.before_layer(done, layers)
    }

    fn interventions(&self) -> Option<&Interventions> {
        Some(self.interventions)
    }

    fn attended(&self, layer: &Attended) {
        self.hooks.attended(layer);
    }

    fn before_final_norm(&self, hidden: ArrayView2<f32>) {
        self.hooks.before_final_norm(hidden);
    }
}
