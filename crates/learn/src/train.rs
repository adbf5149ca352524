//! Training, step by step, from a seed: the same seed gives the same model, whether or not it was interrupted.

use std::ops::ControlFlow;
use std::path::PathBuf;

use lookback_model::tokenizer::Tokenizer;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::accuracy::validate;
use crate::batch::{Example, Table};
use crate::checkpoint::{self, FORMAT, Progress, State};
use crate::config::Config;
use crate::error::Error;
use crate::memory;
use crate::metrics::Metrics;
use crate::model::{Pointer, loss};
use crate::optimizer::{Moments, norm, schedule};
use crate::parameters::Parameters;
pub use crate::record::{Record, Validation};
use crate::sentences::{Item, Split, draw};
pub use crate::settings::Settings;
use crate::timing::{Stopwatch, Timing};

/// Where a run keeps what it has reached; nothing is kept where there is none.
#[derive(Debug, Clone)]
pub struct Files {
    /// The checkpoint. Where it exists, the run goes on from it.
    pub checkpoint: PathBuf,
    /// The metrics, one JSON object a line.
    pub metrics: PathBuf,
}

/// A model in training.
pub struct Trainer<'a> {
    model: Pointer,
    table: Table,
    tokenizer: &'a Tokenizer,
    settings: Settings,
    validation: Vec<Example>,
    state: State,
    files: Option<Files>,
    metrics: Metrics,
}

/// Families of sentences for validation.
const VALIDATION_DRAWS: usize = 48;

impl<'a> Trainer<'a> {
    /// A fresh model, or where `files` has a checkpoint, the one it holds.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Memory`], [`Error::Checkpoint`], [`Error::Io`].
    pub fn new(
        config: Config,
        settings: Settings,
        (tokenizer, embeddings): (&'a Tokenizer, Table),
        files: Option<Files>,
    ) -> Result<Self, Error> {
        settings.check()?;
        let mut parameters = Parameters::new(&config, settings.seed)?;
        if let Table::Free(table) = &embeddings {
            parameters.insert("token_embd", table.clone());
        }
        let (set, read) = settings.set();
        let mut rng = StdRng::seed_from_u64(settings.seed ^ 0x7661_6c69_6461_7465);
        let items: Vec<_> = (0..VALIDATION_DRAWS)
            .flat_map(|_| draw(Split::Training, &mut rng).forms(set))
            .collect();
        let validation = Example::all(&items, tokenizer, read)?;
        let longest = validation
            .iter()
            .map(|example| example.ids.len())
            .max()
            .unwrap_or(0);
        let batch = settings.draws * items.len() / VALIDATION_DRAWS;
        memory::check(&config, parameters.count(), batch, longest)?;
        let mut state = State {
            progress: Progress {
                format: FORMAT.to_owned(),
                config: config.clone(),
                settings: settings.clone(),
                step: 0,
                best: None,
                timing: Timing::nothing(),
            },
            moments: Moments::default(),
            best: std::collections::BTreeMap::new(),
        };
        let mut metrics = Metrics::none();
        if let Some(files) = &files {
            if files.checkpoint.exists() {
                state = checkpoint::load(&files.checkpoint, &config, &settings, &parameters)?;
            }
            metrics = Metrics::open(&files.metrics, state.progress.step)?;
        }
        let model = Pointer::new(config, parameters)?;
        Ok(Self {
            model,
            table: embeddings,
            tokenizer,
            settings,
            validation,
            state,
            files,
            metrics,
        })
    }

    /// [`Trainer::new`] that begins anew where the checkpoint is of another run.
    ///
    /// # Errors
    /// As [`Trainer::new`], without those of a checkpoint.
    pub fn resume_or_new(
        config: Config,
        settings: Settings,
        embeddings: (&'a Tokenizer, Table),
        files: Files,
    ) -> Result<Self, Error> {
        match Self::new(
            config.clone(),
            settings.clone(),
            embeddings.clone(),
            Some(files.clone()),
        ) {
            Err(Error::Checkpoint { path, .. }) => {
                std::fs::remove_file(&path).map_err(Error::io(&path))?;
                Self::new(config, settings, embeddings, Some(files))
            }
            other => other,
        }
    }

    /// Steps done so far.
    #[must_use]
    pub fn step(&self) -> usize {
        self.state.progress.step
    }

    /// What its steps have cost, those before an interruption included.
    #[must_use]
    pub fn timing(&self) -> Timing {
        self.state.progress.timing
    }

    /// Trains until the steps are done, the loss no longer falls, or `observe` breaks off after a step; then a
    /// checkpoint is kept and [`Error::Stopped`] given. At the end the model has the parameters that did best.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where the loss is NaN or infinite; the last checkpoint stays as it is.
    pub fn run(
        &mut self,
        mut observe: impl FnMut(&Record) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        while self.step() < self.settings.steps && !self.is_over() {
            let watch = Stopwatch::start();
            let mut record = self.one()?;
            let due = record.step.is_multiple_of(self.settings.interval)
                || record.step == self.settings.steps;
            if due {
                record.validation = Some(self.validate()?);
            }
            let progress = &mut self.state.progress;
            progress.timing = progress.timing.and(watch.elapsed());
            self.metrics.write(&record)?;
            let stop = observe(&record).is_break();
            if due || stop {
                self.save()?;
            }
            if stop {
                return Err(Error::Stopped { step: record.step });
            }
        }
        self.model.parameters().restore(&self.state.best)
    }

    fn is_over(&self) -> bool {
        let since = |best: usize| (self.step() - best) / self.settings.interval;
        self.state
            .progress
            .best
            .is_some_and(|(_, best)| since(best) >= self.settings.patience)
    }

    /// The sentences of a step, and the dropout on their embeddings, by the step's number alone.
    fn draw_step(&self, step: usize) -> (Vec<Item>, Option<(f32, u64)>) {
        let settings = &self.settings;
        let seed = settings
            .seed
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(step as u64 + 1);
        let mut rng = StdRng::seed_from_u64(seed);
        let (set, _) = settings.set();
        let mut items: Vec<_> = (0..settings.draws)
            .flat_map(|_| draw(Split::Training, &mut rng).forms(set))
            .collect();
        let share = step as f64 / settings.ramp.max(1) as f64;
        items.retain(|item| {
            !(item.text.contains(". Yet ") && item.answer_index() == 0)
                || rng.random_bool(share.min(1.0))
        });
        let dropout = (settings.dropout > 0.0).then_some((settings.dropout, !seed));
        (items, dropout)
    }

    /// One step.
    fn one(&mut self) -> Result<Record, Error> {
        let settings = &self.settings;
        let step = self.state.progress.step;
        let (items, dropout) = self.draw_step(step);
        let (_, read) = settings.set();
        let examples = Example::all(&items, self.tokenizer, read)?;
        let input = self.table.input(&examples, dropout)?;
        let answers: Vec<u32> = examples.iter().map(|example| example.answer).collect();
        let masses = self.model.masses(&input)?;
        let loss = loss(&masses, &answers, settings.coverage, settings.floor)?;
        let value = f64::from(loss.to_scalar::<f32>()?);
        self.check_finite("the loss", value)?;
        let gradients = loss.backward()?;
        let parameters = self.model.parameters();
        let length = norm(parameters, &gradients)?;
        self.check_finite("the norm of the gradients", length)?;
        let learning_rate = schedule(
            settings.learning_rate,
            step,
            settings.steps,
            settings.warmup,
        );
        let factor = (settings.clip / length).min(1.0);
        settings.optimizer.step(
            parameters,
            &gradients,
            &mut self.state.moments,
            (learning_rate, factor),
        )?;
        self.state.progress.step += 1;
        Ok(Record {
            step: step + 1,
            loss: value,
            learning_rate,
            gradient_norm: length,
            validation: None,
        })
    }

    fn check_finite(&self, what: &'static str, value: f64) -> Result<(), Error> {
        if value.is_finite() {
            return Ok(());
        }
        let kept = match &self.files {
            Some(files) if files.checkpoint.exists() => {
                format!(
                    "the last checkpoint, {}, is kept",
                    files.checkpoint.display()
                )
            }
            _ => "there was no checkpoint yet".to_owned(),
        };
        Err(Error::NotFinite {
            what,
            value,
            step: self.step() + 1,
            kept,
        })
    }

    fn validate(&mut self) -> Result<Validation, Error> {
        let settings = &self.settings;
        let (loss, measured) = validate(
            &self.model,
            &self.table,
            &self.validation,
            (settings.coverage, settings.floor),
        )?;
        if self.state.progress.best.is_none_or(|(best, _)| loss < best) {
            self.state.progress.best = Some((loss, self.step()));
            self.state.best = self.model.parameters().snapshot()?;
        }
        Ok(Validation { loss, measured })
    }

    fn save(&mut self) -> Result<(), Error> {
        self.metrics.flush()?;
        match &self.files {
            Some(files) => {
                checkpoint::save(&files.checkpoint, &self.state, self.model.parameters())
            }
            None => Ok(()),
        }
    }

    /// The model as it stands.
    #[must_use]
    pub fn model(&self) -> &Pointer {
        &self.model
    }

    /// The embeddings that it reads.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }
}
