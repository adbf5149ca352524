//! One run of the study: a setting with a seed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{Device, Tensor, Var};
use lookback_model::tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};

use super::{Event, JUDGED, Observer, Setting, Study, THREE_LAYERS};
use crate::batch::Table;
use crate::evaluate::{correct, masses, similarity_masses};
use crate::evaluation::{examples, save_lines};
use crate::sentences::{ReadFrom, Set, Split};
use crate::train::{Files, Settings, Trainer};
use crate::{Config, Error, Timing, Vocabulary, file};

/// The frozen table that every run reads, with its tokenizer.
pub struct Embeddings<'a> {
    /// The file that they are of.
    pub source: &'a Path,
    /// The tokenizer of the table's rows.
    pub tokenizer: &'a Tokenizer,
    /// \[tokens · d\]
    pub values: Arc<Vec<f32>>,
    /// The embeddings' dimension.
    pub d: usize,
}

impl Embeddings<'_> {
    /// The table as constants, or as a fresh copy that is trained.
    fn table(&self, free: bool) -> Result<Table, Error> {
        if !free {
            return Ok(Table::Frozen(Arc::clone(&self.values), self.d));
        }
        let shape = (self.values.len() / self.d, self.d);
        let table = Tensor::from_vec(self.values.to_vec(), shape, &Device::Cpu)?;
        Ok(Table::Free(Var::from_tensor(&table)?))
    }
}

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
    /// What training cost, judging left out.
    pub spent: Timing,
    /// For each sentence with held-out names, in the order of [`crate::evaluation::items`]: 1 where it is answered
    /// rightly, ½ for a tie, else 0.
    pub held_out_names: Vec<f64>,
    /// The same for held-out templates.
    pub held_out_templates: Vec<f64>,
}

impl Run {
    /// A run before it has begun.
    fn new(setting: &Setting, seed: u64) -> Self {
        Self {
            setting: setting.name.clone(),
            model: setting.model.clone(),
            training: Study::training(seed),
            judged: JUDGED,
            parameters: 0,
            steps: 0,
            spent: Timing::nothing(),
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

/// The weight on each of two candidates, an example each.
type Masses<'a> = &'a dyn Fn(&[crate::batch::Example]) -> Result<Vec<[f64; 2]>, Error>;

/// Trains one setting with one seed, or finds that there is nothing to train, and judges it.
pub(super) fn one(
    study: &Study,
    setting: &Setting,
    seed: u64,
    embeddings: &Embeddings,
    observe: Observer,
) -> Result<Run, Error> {
    let judged = |masses: Masses<'_>, split| {
        let read = (Set::Pronoun, ReadFrom::Pronoun);
        let examples = examples(split, read, JUDGED, embeddings.tokenizer)?;
        Ok::<_, Error>(correct(&masses(&examples)?, &examples))
    };
    let mut run = Run::new(setting, seed);
    let Some(config) = &setting.model else {
        let table = embeddings.table(false)?;
        let masses = |examples: &[_]| similarity_masses(&table, examples);
        run.held_out_names = judged(&masses, Split::HeldOutNames)?;
        run.held_out_templates = judged(&masses, Split::HeldOutTemplates)?;
        return Ok(run);
    };
    let files = Files {
        checkpoint: study.folder.join("training.safetensors"),
        metrics: study.folder.join("training.jsonl"),
    };
    let table = embeddings.table(config.free_embeddings)?;
    let mut trainer = Trainer::resume_or_new(
        config.clone(),
        run.training.clone(),
        (embeddings.tokenizer, table),
        files.clone(),
    )?;
    trainer.run(|record| observe(&Event::Step(record)))?;
    run.parameters = trainer.model().parameters().count();
    run.steps = trainer.step();
    run.spent = trainer.spent();
    if setting.name == THREE_LAYERS && seed == 0 {
        let vocabulary = Vocabulary::reduce(embeddings.source, usize::MAX, &[])?;
        let parameters = trainer.model().parameters();
        file::write(&study.kept(), &vocabulary, config, parameters)?;
    }
    let masses = |examples: &[_]| masses(trainer.model(), trainer.table(), examples);
    run.held_out_names = judged(&masses, Split::HeldOutNames)?;
    run.held_out_templates = judged(&masses, Split::HeldOutTemplates)?;
    for file in [files.checkpoint, files.metrics] {
        std::fs::remove_file(&file).map_err(Error::io(&file))?;
    }
    Ok(run)
}
