//! What a study compares, and how each run is trained and judged.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::settings::Settings;

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
pub(super) const JUDGED: usize = 100;

/// The shape of the model that ships.
pub(super) const THREE_LAYERS: &str = "(d) three layers, four heads";

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
