//! How much a model loses without a head: the change of its mean loss on a text with the head's output set to zero
//! (Michel, Levy & Neubig 2019, "Are Sixteen Heads Really Better than One?").
//!
//! It takes one run a head and no gradients. A head may matter only together with others, or not be missed because
//! others take its part: what is measured is one head out of a whole model, on one text.

use std::ops::ControlFlow;

use lookback_model::{
    Encoding, Hooks, Interventions, Logits, Model, Prefill, PrefillOptions, Sequence,
};
use lookback_trace::HeadId;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::who::cause::log_softmax;

/// Tokens that are read in one pass: each row of logits takes 4 bytes a token of the vocabulary.
const PACKED_TOKENS: usize = 512;

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
    Ok(mean_losses(model, encoding, &[hooks])?[0])
}

/// [`mean_loss`] under each of several hooks.
fn mean_losses(
    model: &Model,
    encoding: &Encoding,
    all_hooks: &[&dyn Hooks],
) -> Result<Vec<f64>, Error> {
    let first = encoding.prefix_tokens.max(1);
    let tokens = encoding.ids.len();
    if tokens <= first {
        return Err(Error::TooShort { tokens });
    }
    let sequences: Vec<Sequence> = all_hooks
        .iter()
        .map(|&hooks| Sequence {
            tokens: &encoding.ids,
            logits: Logits::At((first - 1..tokens - 1).collect()),
            hooks,
        })
        .collect();
    let read = model.prefill_many(&sequences, &PrefillOptions::default())?;
    let mean = |prefill: &Prefill| {
        let predicted = prefill.logits.outer_iter().zip(&encoding.ids[first..]);
        let loss: f64 = predicted
            .map(|(row, &id)| -log_softmax(row)[id as usize])
            .sum();
        loss / (tokens - first) as f64
    };
    Ok(read.iter().map(mean).collect())
}

/// Measures the heads in turn against `loss`, the loss with all of them; `found` hears of each as it is known, and may
/// stop the rest. Runs of a short text are packed, so that several become known at once.
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
    let heads: Vec<HeadId> = heads.into_iter().collect();
    for heads in heads.chunks((PACKED_TOKENS / encoding.ids.len().max(1)).max(1)) {
        let without: Vec<Interventions> = heads
            .iter()
            .map(|&head| {
                let mut without = Interventions::default();
                without.ablate(head);
                without
            })
            .collect();
        let changed: Vec<_> = without.iter().map(|without| without.and(hooks)).collect();
        let all: Vec<&dyn Hooks> = changed.iter().map(|hooks| hooks as &dyn Hooks).collect();
        for (&head, without) in heads.iter().zip(mean_losses(model, encoding, &all)?) {
            let loss_change = without - loss;
            if found(Importance { head, loss_change }).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}
