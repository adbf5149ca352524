//! The study: what each part of attention is worth for this task, from no trained matrix at all to three layers.
//!
//! | setting | what it can know in a causal model |
//! | --- | --- |
//! | (a) similarity | how alike *he* and the names' embeddings are: the same for every swap, so a half |
//! | (b, c) one layer | the pointer alone: *he* has not seen *Yet* or *So*, and a name has not seen its verb: a half |
//! | (d) two layers | before the pointer looks, *he* has gathered the connective, and the second name the first clause |
//! | (d) three layers | what two layers know, and what the tokens between have gathered |
//!
//! Every run is kept as a line of `runs.jsonl`, and the one under way as a checkpoint, so that a study that was
//! interrupted goes on where it stopped.

mod run;
mod table;

use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use run::{Run, Runs};
pub use table::{Cell, Row, Table};

use crate::train::{Record, Settings};
use crate::{Config, Error};

/// One setting of the study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Its letter and its words, which name it in the table.
    pub name: String,
    /// The model; none for the similarity of embeddings alone.
    pub model: Option<Config>,
    /// Seeds it is run with.
    pub seeds: Vec<u64>,
}

/// How long a study takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// All settings, three seeds: about 20 minutes on two cores.
    Full,
    /// The settings that differ most, one seed, few steps.
    Quick,
}

/// Where a study is kept, and how long it is.
#[derive(Debug, Clone)]
pub struct Study {
    /// The folder of its files.
    pub folder: PathBuf,
    /// Which settings and how many steps.
    pub length: Length,
}

/// What happens while a study runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// A run begins, `done` of `all` being finished.
    Begin {
        /// The setting.
        setting: &'a Setting,
        /// The seed.
        seed: u64,
        /// Runs finished.
        done: usize,
        /// Runs in all.
        all: usize,
        /// Steps that it takes at most.
        steps: usize,
    },
    /// A step was done.
    Step(&'a Record),
}

impl Study {
    /// The settings, in the order of the table, for embeddings of dimension `d`.
    #[must_use]
    pub fn settings(&self, d: usize) -> Vec<Setting> {
        let seeds: Vec<u64> = match self.length {
            Length::Full => vec![0, 1, 2],
            Length::Quick => vec![0],
        };
        let trained = |name: &str, model: Config| Setting {
            name: name.to_owned(),
            model: Some(model),
            seeds: seeds.clone(),
        };
        let similarity = Setting {
            name: "(a) similarity of embeddings".to_owned(),
            model: None,
            seeds: vec![0],
        };
        let model = |layers, heads| Config::new(d, layers, heads);
        let free = Setting {
            seeds: vec![0],
            ..trained(
                "(f) three layers, embeddings free",
                Config {
                    free_embeddings: true,
                    ..model(3, 4)
                },
            )
        };
        let mut all = vec![
            similarity,
            trained("(b) one layer, one head", model(1, 1)),
            trained("(c) one layer, four heads", model(1, 4)),
            trained("(d) two layers, one head", model(2, 1)),
            trained("(d) two layers, four heads", model(2, 4)),
            trained("(d) three layers, one head", model(3, 1)),
            trained("(d) three layers, four heads", model(3, 4)),
            trained(
                "(e) three layers, without √d_k",
                Config {
                    scaled: false,
                    ..model(3, 4)
                },
            ),
            free,
        ];
        if self.length == Length::Quick {
            let kept = [
                "(a)",
                "(b)",
                "(d) two layers, four",
                "(d) three layers, four",
            ];
            all.retain(|setting| kept.iter().any(|kept| setting.name.starts_with(kept)));
        }
        all
    }

    /// How a run of the study is trained.
    #[must_use]
    pub fn training(&self, seed: u64) -> Settings {
        let (steps, interval) = match self.length {
            Length::Full => (200, 50),
            Length::Quick => (120, 40),
        };
        Settings {
            seed,
            steps,
            interval,
            ramp: steps * 2 / 3,
            patience: 4,
            ..Settings::default()
        }
    }

    /// Draws of each held-out set that a run is judged by; each gives eight sentences.
    #[must_use]
    pub fn judged(&self) -> usize {
        match self.length {
            Length::Full => 100,
            Length::Quick => 40,
        }
    }
}

/// What a caller does at each [`Event`]: go on, or stop there.
pub type Observer<'a> = &'a mut dyn FnMut(&Event) -> ControlFlow<()>;

/// Runs what is not yet done of a study, and gives its table.
///
/// # Errors
/// [`Error::Stopped`] where the observer breaks off; called again, it goes on from there.
pub fn run(study: &Study, embeddings: &run::Embeddings, observe: Observer) -> Result<Table, Error> {
    let mut runs = Runs::open(study)?;
    let settings = study.settings(embeddings.d);
    let all = settings.iter().map(|setting| setting.seeds.len()).sum();
    let mut done = 0;
    // Seed by seed, so that a study that is broken off has compared all settings.
    let most = settings
        .iter()
        .map(|setting| setting.seeds.len())
        .max()
        .unwrap_or(0);
    for round in 0..most {
        for setting in &settings {
            let Some(&seed) = setting.seeds.get(round) else {
                continue;
            };
            if !runs.has(setting, seed) {
                let event = Event::Begin {
                    setting,
                    seed,
                    done,
                    all,
                    steps: study.training(seed).steps,
                };
                if observe(&event).is_break() {
                    return Err(Error::Stopped { step: 0 });
                }
                let run = run::one(study, setting, seed, embeddings, observe)?;
                runs.add(run)?;
            }
            done += 1;
        }
    }
    Ok(Table::new(&settings, runs.all()))
}

pub use run::Embeddings;
