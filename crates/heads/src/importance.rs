//! How much a model loses without a head: the change of its mean loss on a text with the head's output set to zero
//! (Michel, Levy & Neubig 2019, "Are Sixteen Heads Really Better than One?").
//!
//! It takes one run a head and no gradients. A head may matter only together with others, or not be missed because
//! others take its part: what is measured is one head out of a whole model, on one text.

use std::ops::ControlFlow;

use lookback_model::{Encoding, Hooks, Interventions, Logits, Model, PrefillOptions};
use lookback_trace::HeadId;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::who::cause::log_softmax;

/// What one head's absence costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// The head.
    #[serde(flatten)]
    pub head: HeadId,
    /// Mean loss without the head − with it, in nats a token; above 0 where the head helps.
    pub loss_change: f64,
}

/// The mean negative log-likelihood, in nats, of each token of the text given those before it. The first is not
/// counted where nothing comes before it.
///
/// # Errors
/// The model's, and [`Error::TooShort`] where no token is left to predict.
pub fn mean_loss(model: &Model, encoding: &Encoding, hooks: &dyn Hooks) -> Result<f64, Error> {
    let first = encoding.prefix_tokens.max(1);
    let tokens = encoding.ids.len();
    if tokens <= first {
        return Err(Error::TooShort { tokens });
    }
    let options = PrefillOptions {
        logits: Logits::At((first - 1..tokens - 1).collect()),
        ..PrefillOptions::default()
    };
    let logits = model.prefill_with(&encoding.ids, &options, hooks)?.logits;
    let predicted = logits.outer_iter().zip(&encoding.ids[first..]);
    let loss: f64 = predicted
        .map(|(row, &id)| -log_softmax(row)[id as usize])
        .sum();
    Ok(loss / (tokens - first) as f64)
}

/// Measures the heads in turn against `loss`, the loss with all of them; `found` hears of each as it is known, and may
/// stop the rest.
///
/// # Errors
/// The model's.
pub fn importance(
    model: &Model,
    encoding: &Encoding,
    loss: f64,
    heads: impl IntoIterator<Item = HeadId>,
    hooks: &dyn Hooks,
    found: &mut dyn FnMut(Importance) -> ControlFlow<()>,
) -> Result<(), Error> {
    for head in heads {
        let mut without = Interventions::default();
        without.ablate(head);
        let loss_change = mean_loss(model, encoding, &without.and(hooks))? - loss;
        if found(Importance { head, loss_change }).is_break() {
            break;
        }
    }
    Ok(())
}
