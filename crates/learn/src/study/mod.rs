//! The study: what each part of attention is worth for this task, from no trained matrix at all to three layers.
//!
//! | setting | what it can know in a causal model |
//! | --- | --- |
//! | (a) similarity | how alike *he* and the names' embeddings are: the same for every swap, so a half |
//! | (b, c) one layer | the pointer alone: *he* has not seen *Yet* or *So*, and a name has not seen its verb: a half |
//! | (d) two layers | before the pointer looks, *he* has gathered the connective, and the second name the first clause |
//! | (d) three layers | what two layers know, and what the tokens between have gathered |
//! | (e) to (i) | two layers and four heads, and one part of them changed |
//!
//! Every run is kept as a line of `runs.jsonl`, and the one under way as a checkpoint, so that a study that was
//! interrupted goes on where it stopped.

mod run;
mod table;

use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use run::{Embeddings, Run, Runs};
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
    /// All settings, three seeds.
    Full,
    /// The settings that differ most, one seed.
    Quick,
}

/// Where a study is kept, and how long it is.
#[derive(Debug, Clone)]
pub struct Study {
    /// The folder of its files.
    pub folder: PathBuf,
    /// Which settings and seeds.
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
        let seeds: &[u64] = match self.length {
            Length::Full => &[0, 1, 2],
            Length::Quick => &[0],
        };
        let model = |layers, heads| Config::new(d, layers, heads);
        let settings = [
            ("(a) similarity of embeddings", None, &[0][..]),
            ("(b) one layer, one head", Some(model(1, 1)), seeds),
            ("(c) one layer, four heads", Some(model(1, 4)), seeds),
            ("(d) two layers, one head", Some(model(2, 1)), seeds),
            ("(d) two layers, four heads", Some(model(2, 4)), seeds),
            ("(d) three layers, one head", Some(model(3, 1)), seeds),
            (THREE_LAYERS, Some(model(3, 4)), seeds),
        ];
        let mut all: Vec<Setting> = settings
            .into_iter()
            .map(|(name, model, seeds)| Setting {
                name: name.to_owned(),
                model,
                seeds: seeds.to_vec(),
            })
            .collect();
        match self.length {
            Length::Full => all.extend(variations(&model(2, 4), seeds)),
            Length::Quick => all.retain(|setting| {
                let named = |kept: &&str| setting.name.starts_with(*kept);
                ["(a)", "(b)", "(d) two layers, four", THREE_LAYERS]
                    .iter()
                    .any(named)
            }),
        }
        all
    }

    /// How a run of the study is trained: as the model that ships was.
    #[must_use]
    pub fn training(seed: u64) -> Settings {
        Settings {
            seed,
            ..Settings::default()
        }
    }

    /// Where the model lies that is kept as a file once the study is done, of the shape that ships.
    #[must_use]
    pub fn kept(&self) -> PathBuf {
        self.folder.join("pronoun.gguf")
    }
}

/// Draws of each held-out set that a run is judged by; each gives eight sentences.
const JUDGED: usize = 100;

/// The shape of the model that ships.
const THREE_LAYERS: &str = "(d) three layers, four heads";

/// A model with one part of it changed: with all seeds without √d_k, else with one.
fn variations(model: &Config, seeds: &[u64]) -> Vec<Setting> {
    let changed = |name: &str, seeds: &[u64], change: fn(&mut Config)| {
        let mut model = model.clone();
        change(&mut model);
        Setting {
            name: name.to_owned(),
            model: Some(model),
            seeds: seeds.to_vec(),
        }
    };
    vec![
        changed("(e) without √d_k", seeds, |m| m.scaled = false),
        changed("(f) embeddings free", &[0], |m| m.free_embeddings = true),
        changed("(g) with an MLP of 576", &[0], |m| m.mlp = Some(m.d)),
        changed("(h) without position", &[0], |m| m.rotary = None),
        changed("(i) without residual", &[0], |m| m.residual = false),
    ]
}

/// What a caller does at each [`Event`]: go on, or stop there.
pub type Observer<'a> = &'a mut dyn FnMut(&Event) -> ControlFlow<()>;

/// Runs what is not yet done of a study, and gives its table.
///
/// # Errors
/// [`Error::Stopped`] where the observer breaks off; called again, it goes on from there.
pub fn run(study: &Study, embeddings: &run::Embeddings, observe: Observer) -> Result<Table, Error> {
    let settings = study.settings(embeddings.d);
    let mut runs = Runs::open(study, &settings)?;
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
                    steps: Study::training(seed).steps,
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
    let table = Table::new(&settings, runs.all());
    table.save(&study.folder.join("table.json"))?;
    Ok(table)
}
