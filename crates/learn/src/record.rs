//! What a run of training reports, step by step.

use serde::{Deserialize, Serialize};

use crate::accuracy::Measured;

/// What one step, or a validation after it, found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The step, counted from 1.
    pub step: usize,
    /// Mean loss of the step's sentences.
    pub loss: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// Norm of the gradients before clipping.
    pub gradient_norm: f64,
    /// After every [`Settings::interval`](crate::train::Settings::interval) steps: loss and accuracy on fresh sentences of training's names and templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
}

/// Loss and accuracy on sentences that no step was taken on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Mean loss.
    pub loss: f64,
    /// Accuracy and weights.
    #[serde(flatten)]
    pub measured: Measured,
}
