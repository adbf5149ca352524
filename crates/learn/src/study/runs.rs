//! The runs of a study that are finished, a line each in a file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::setting::{JUDGED, Setting, Study};
use crate::config::Config;
use crate::error::Error;
use crate::evaluation_set::save_lines;
use crate::settings::Settings;
use crate::timing::Timing;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The setting's name.
    pub setting: String,
    /// The model; none for the similarity of embeddings.
    pub model: Option<Config>,
    /// How it was trained, the seed included.
    pub training: Settings,
    /// Draws of each held-out set that it was judged by.
    pub judged: usize,
    /// Numbers that were trained.
    pub parameters: usize,
    /// Steps done.
    pub steps: usize,
    /// What training cost, without judging.
    #[serde(rename = "spent")]
    pub timing: Timing,
    /// For each sentence with held-out names, in the order of [`crate::evaluation_set::items`]: 1 where it is answered
    /// rightly, ½ for a tie, else 0.
    pub held_out_names: Vec<f64>,
    /// The same for held-out templates.
    pub held_out_templates: Vec<f64>,
}

impl Run {
    /// A run before it has begun.
    pub(super) fn new(setting: &Setting, seed: u64) -> Self {
        Self {
            setting: setting.name.clone(),
            model: setting.model.clone(),
            training: Study::training(seed),
            judged: JUDGED,
            parameters: 0,
            steps: 0,
            timing: Timing::nothing(),
            held_out_names: Vec::new(),
            held_out_templates: Vec::new(),
        }
    }

    /// Whether another run is of the same setting, seed and length.
    fn is_of(&self, other: &Self) -> bool {
        self.setting == other.setting
            && self.model == other.model
            && self.training == other.training
            && self.judged == other.judged
    }
}

/// The runs of a study that are finished.
pub struct Runs {
    path: PathBuf,
    /// All that the folder has; some may be of a longer study, or of an earlier version's settings.
    runs: Vec<Run>,
    /// What this study asks for.
    wanted: Vec<Run>,
}

impl Runs {
    /// Those that the study's folder has.
    pub(super) fn open(study: &Study, settings: &[Setting]) -> Result<Self, Error> {
        std::fs::create_dir_all(&study.folder).map_err(Error::io(&study.folder))?;
        let path = study.folder.join("runs.jsonl");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io(&path)(error)),
        };
        let runs = text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<Run>, _>>();
        let runs = runs.map_err(|error| Error::Checkpoint {
            path: path.clone(),
            detail: error.to_string(),
        })?;
        let wanted = settings
            .iter()
            .flat_map(|setting| {
                let of = |&seed: &u64| Run::new(setting, seed);
                setting.seeds.iter().map(of)
            })
            .collect();
        Ok(Self { path, runs, wanted })
    }

    pub(super) fn has(&self, setting: &Setting, seed: u64) -> bool {
        self.all()
            .any(|run| run.setting == setting.name && run.training.seed == seed)
    }

    /// Those that this study asks for.
    pub(super) fn all(&self) -> impl Iterator<Item = &Run> {
        let wanted = |run: &&Run| self.wanted.iter().any(|wanted| run.is_of(wanted));
        self.runs.iter().filter(wanted)
    }

    pub(super) fn add(&mut self, run: Run) -> Result<(), Error> {
        self.runs.push(run);
        save_lines(&self.path, &self.runs)
    }
}
