//! One run of the study: a setting with a seed.

use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor, Var};
use lookback_model::tokenizer::Tokenizer;

use super::event::{Event, Observer};
use super::runs::Run;
use super::setting::{JUDGED, Setting, Study, THREE_LAYERS};
use crate::accuracy::{correct, masses, similarity_masses};
use crate::batch::{Example, Table};
use crate::error::Error;
use crate::evaluation_set::examples;
use crate::file;
use crate::sentences::{ReadFrom, Set, Split};
use crate::train::{Files, Trainer};
use crate::vocabulary::Vocabulary;

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

/// The weight on each of two candidates, an example each.
type Masses<'a> = &'a dyn Fn(&[Example]) -> Result<Vec<[f64; 2]>, Error>;

/// Trains one setting with one seed, or finds that there is nothing to train, and judges it.
pub(super) fn run_one(
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
    run.timing = trainer.timing();
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
