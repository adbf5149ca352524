//! One run of the study: a setting with a seed.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use candle_core::{Device, Tensor, Var};
use lookback_model::tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};

use super::{Event, Length, Observer, Setting, Study};
use crate::Error;
use crate::batch::Table;
use crate::evaluate::{correct, masses, similarity_masses};
use crate::evaluation::examples;
use crate::sentences::{ReadFrom, Set, Split};
use crate::train::{Files, Trainer};

/// The frozen table that every run reads, with its tokenizer.
pub struct Embeddings<'a> {
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
pub struct Run {
    /// The setting's name.
    pub setting: String,
    /// The seed.
    pub seed: u64,
    /// Whether it is of a quick study.
    pub quick: bool,
    /// Numbers that were trained.
    pub parameters: usize,
    /// Steps done.
    pub steps: usize,
    /// Seconds of training, what was done before an interruption left out.
    pub seconds: f64,
    /// For each sentence with held-out names, in the order of [`crate::evaluation::items`]: 1 where it is answered
    /// rightly, ½ for a tie, else 0.
    pub held_out_names: Vec<f64>,
    /// The same for held-out templates.
    pub held_out_templates: Vec<f64>,
}

/// The runs that are finished.
pub struct Runs {
    path: PathBuf,
    quick: bool,
    runs: Vec<Run>,
}

impl Runs {
    pub(super) fn open(study: &Study) -> Result<Self, Error> {
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
            .collect::<Result<_, _>>();
        let runs = runs.map_err(|error| Error::Checkpoint {
            path: path.clone(),
            detail: error.to_string(),
        })?;
        Ok(Self {
            path,
            quick: study.length == Length::Quick,
            runs,
        })
    }

    pub(super) fn has(&self, setting: &Setting, seed: u64) -> bool {
        self.all()
            .any(|run| run.setting == setting.name && run.seed == seed)
    }

    /// The runs of this study's length.
    pub(super) fn all(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.quick == self.quick)
    }

    pub(super) fn add(&mut self, run: Run) -> Result<(), Error> {
        self.runs.push(run);
        crate::file::aside(&self.path, |file| {
            for run in &self.runs {
                let written = serde_json::to_writer(&mut *file, run).map_err(std::io::Error::from);
                written
                    .and_then(|()| file.write_all(b"\n"))
                    .map_err(Error::io(&self.path))?;
            }
            Ok(())
        })
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
    let began = Instant::now();
    let judged = |masses: Masses<'_>, split| {
        let read = (Set::Pronoun, ReadFrom::Pronoun);
        let examples = examples(split, read, study.judged(), embeddings.tokenizer)?;
        Ok::<_, Error>(correct(&masses(&examples)?, &examples))
    };
    let mut run = Run {
        setting: setting.name.clone(),
        seed,
        quick: study.length == Length::Quick,
        parameters: 0,
        steps: 0,
        seconds: 0.0,
        held_out_names: Vec::new(),
        held_out_templates: Vec::new(),
    };
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
        study.training(seed),
        (embeddings.tokenizer, table),
        files.clone(),
    )?;
    trainer.run(|record| observe(&Event::Step(record)))?;
    run.parameters = trainer.model().parameters().count();
    run.steps = trainer.step();
    run.seconds = began.elapsed().as_secs_f64();
    let masses = |examples: &[_]| masses(trainer.model(), trainer.table(), examples);
    run.held_out_names = judged(&masses, Split::HeldOutNames)?;
    run.held_out_templates = judged(&masses, Split::HeldOutTemplates)?;
    for file in [files.checkpoint, files.metrics] {
        std::fs::remove_file(&file).map_err(Error::io(&file))?;
    }
    Ok(run)
}
