//! The scores of every head that belong to a model and not to a text: computed here for the program and the page alike.
//!
//! Definitions, sources, and how each misleads: `docs/heads.md`.

use lookback_model::{Hooks, Model, Prefix};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::copying::{Copying, copying};
use crate::probes::{ProbeScores, Repeated};
use crate::retrieval::{NeedleTest, Retrieval, retrieval};

/// Needles: how many, and in texts of how many sentences.
const NEEDLES: (usize, usize) = (12, 40);

/// What the needles follow from.
const SEED: u64 = 1;

/// Every head's scores, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelScores {
    /// On random repeated tokens.
    pub probes: Vec<ProbeScores>,
    /// On needles in other texts; none for a model whose context or vocabulary cannot hold them.
    pub retrieval: Option<Vec<Retrieval>>,
    /// From the weights; none for a model without an output head.
    pub copying: Option<Vec<Copying>>,
}

/// What is being computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Copying scores, a layer at a time.
    Copying,
    /// Random repeated tokens, a sequence at a time.
    Probes,
    /// Needles, a text at a time.
    Retrieval,
}

/// How far the computation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreProgress {
    /// What is being computed.
    pub stage: Stage,
    /// Steps of this stage that are done, and all of them.
    pub of_stage: (usize, usize),
    /// Steps of all stages that are done, and all of them.
    pub of_all: (usize, usize),
}

/// Counts steps, and passes them on.
struct Steps<'a> {
    hear: &'a mut dyn FnMut(ScoreProgress),
    /// Steps of the stages before.
    before: usize,
    all: usize,
}

impl Steps<'_> {
    fn at(&mut self, stage: Stage, done: usize, of: usize) {
        (self.hear)(ScoreProgress {
            stage,
            of_stage: (done, of),
            of_all: (self.before + done, self.all),
        });
    }
}

impl ModelScores {
    /// Computes them all. `progress` hears of each step; `hooks` may stop the work between two layers of a run.
    ///
    /// # Errors
    /// The model's, and [`Error::Cancelled`] or [`lookback_model::Error::Cancelled`] where `hooks` stop it.
    pub fn compute(
        model: &Model,
        hooks: &dyn Hooks,
        progress: &mut dyn FnMut(ScoreProgress),
    ) -> Result<Self, Error> {
        let repeated = Repeated::standard(model)?;
        let needles = NeedleTest::random(NEEDLES, SEED);
        let layers = match model.spec().nonlinear_path() {
            None => model.spec().layers.len(),
            Some(_) => 0,
        };
        let sequences = repeated.sequences.len();
        let mut steps = Steps {
            hear: progress,
            before: 0,
            all: layers + sequences + needles.len(),
        };
        let copying = match layers {
            0 => None,
            _ => Some(copying_scores(model, hooks, &mut steps)?),
        };
        steps.before = layers;
        let mut done = 0;
        let probes = repeated.scores(model, hooks, &mut || {
            done += 1;
            steps.at(Stage::Probes, done, sequences);
        })?;
        steps.before += sequences;
        done = 0;
        let retrieval = retrieval(model, &Prefix::Declared, &needles, hooks, &mut || {
            done += 1;
            steps.at(Stage::Retrieval, done, needles.len());
        })?;
        Ok(Self {
            probes,
            retrieval,
            copying,
        })
    }

    /// Whether every list has one score for each of `heads` heads.
    #[must_use]
    pub fn is_whole(&self, heads: usize) -> bool {
        let retrieval = self.retrieval.as_ref().map_or(heads, Vec::len);
        let copying = self.copying.as_ref().map_or(heads, Vec::len);
        [self.probes.len(), retrieval, copying] == [heads; 3]
    }
}

fn copying_scores(
    model: &Model,
    hooks: &dyn Hooks,
    steps: &mut Steps<'_>,
) -> Result<Vec<Copying>, Error> {
    let found = copying(model, &mut |done, layers| {
        steps.at(Stage::Copying, done, layers);
        hooks.before_layer(done, layers).is_continue()
    })?;
    found.ok_or(Error::Cancelled)
}
