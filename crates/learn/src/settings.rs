//! How a model is trained.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::optimizer::AdamW;
use crate::sentences::{ReadFrom, Set};

/// How a model is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What everything is drawn by.
    pub seed: u64,
    /// Steps at most.
    pub steps: usize,
    /// Families of swapped sentences a step.
    pub draws: usize,
    /// Steps over which one of the four kinds of sentences comes in, *Yet* with the second name doing it: at first it is
    /// excluded, and the connective and the negation are each informative by themselves. All four at once are an
    /// exclusive or, in which neither is, and which gradients find slowly.
    pub ramp: usize,
    /// The largest learning rate.
    pub learning_rate: f64,
    /// Steps over which the rate rises.
    pub warmup: usize,
    /// The longest gradient, in norm, that is taken as it is.
    pub clip: f64,
    /// How much the loss asks for the whole row's weight on the two candidates: see [`loss`](crate::model::loss).
    pub coverage: f64,
    /// What is added to a mass before its logarithm.
    pub floor: f64,
    /// Share of the embeddings' entries that are set to 0 in training.
    pub dropout: f32,
    /// The optimiser's constants.
    pub optimizer: AdamW,
    /// Whether sentences with bad outcomes are among them, and the last token is read.
    pub from_the_end: bool,
    /// Steps between validations, and between checkpoints.
    pub interval: usize,
    /// Validations without a smaller loss after which training ends.
    pub patience: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            steps: 400,
            draws: 8,
            ramp: 300,
            learning_rate: 4e-4,
            warmup: 60,
            clip: 1.0,
            coverage: 0.2,
            floor: 1e-6,
            dropout: 0.1,
            optimizer: AdamW::default(),
            from_the_end: false,
            interval: 50,
            patience: 8,
        }
    }
}

impl Settings {
    /// Which sentences are drawn, and which row of them is read.
    pub(crate) fn set(&self) -> (Set, ReadFrom) {
        if self.from_the_end {
            (Set::Outcome, ReadFrom::Last)
        } else {
            (Set::Pronoun, ReadFrom::Pronoun)
        }
    }

    /// Fails for settings that mean nothing.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |setting, value: String, expected| {
            Err(Error::Setting {
                setting,
                value,
                expected,
            })
        };
        for (setting, size) in [
            ("steps", self.steps),
            ("draws", self.draws),
            ("interval", self.interval),
        ] {
            if size == 0 {
                return invalid(setting, size.to_string(), "at least 1");
            }
        }
        if !(0.0..0.9).contains(&self.dropout) {
            return invalid("dropout", self.dropout.to_string(), "from 0 to 0.9");
        }
        for (setting, value) in [
            ("learning_rate", self.learning_rate),
            ("clip", self.clip),
            ("floor", self.floor),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return invalid(setting, value.to_string(), "positive");
            }
        }
        Ok(())
    }
}
