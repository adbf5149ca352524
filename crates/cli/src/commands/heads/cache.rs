//! Scores that belong to a model and not to a text, computed once and kept.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use lookback_heads::copying::{Copying, copying};
use lookback_heads::probes::{ProbeScores, Repeated};
use lookback_heads::retrieval::{NeedleTest, Retrieval, retrieval};
use lookback_model::store::Store;
use lookback_model::{Hooks, Model, Prefix};
use serde::{Deserialize, Serialize};

use crate::context::Loaded;
use crate::progress::CountBar;
use crate::{interrupt, output};

/// Needles: how many, and in texts of how many sentences.
const NEEDLES: (usize, usize) = (12, 40);

/// What the needles follow from.
const SEED: u64 = 1;

/// NamedInterventions whenever the scores would be computed otherwise.
const FORMAT: &str = "lookback-model-scores/2";

/// The scores of every head that need no text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelScores {
    format: String,
    /// On random repeated tokens.
    pub(crate) probes: Vec<ProbeScores>,
    /// On needles in other texts.
    pub(crate) retrieval: Option<Vec<Retrieval>>,
    /// From the weights.
    pub(crate) copying: Vec<Copying>,
}

/// The scores of a model, from the cache where they were computed before.
pub(crate) fn model_scores(loaded: &Loaded) -> anyhow::Result<ModelScores> {
    let file = file(loaded);
    if let Some(scores) = file.as_ref().and_then(|file| read(file, loaded)) {
        return Ok(scores);
    }
    let scores = compute(loaded)?;
    if let Some(file) = file {
        // A cache that cannot be written is no reason to fail: the scores are here.
        if let Err(error) = write(&file, &scores) {
            output::note(&format!(
                "the heads' scores are not kept in {}: {error}",
                file.display()
            ));
        }
    }
    Ok(scores)
}

fn compute(loaded: &Loaded) -> anyhow::Result<ModelScores> {
    let model = &loaded.model;
    let bar = CountBar::start("scores from the weights");
    let copying = copying(model, &mut |done, layers| {
        bar.position(done, layers);
        !interrupt::requested()
    })?;
    drop(bar);
    interrupt::check()?;
    let repeated = Repeated::standard(model)?;
    let bar = CountBar::start("random repeated tokens");
    let mut done = 0;
    let total = repeated.sequences.len();
    let probes = repeated.scores(model, &Stop, &mut || {
        done += 1;
        bar.position(done, total);
    })?;
    drop(bar);
    Ok(ModelScores {
        format: FORMAT.to_owned(),
        probes,
        retrieval: needles(model)?,
        copying: copying.unwrap_or_default(),
    })
}

/// Retrieval scores; none for a model that cannot read the needles' texts.
fn needles(model: &Model) -> anyhow::Result<Option<Vec<Retrieval>>> {
    let tests = NeedleTest::random(NEEDLES, SEED);
    let bar = CountBar::start("needles in other texts");
    let mut done = 0;
    let scores = retrieval(model, &Prefix::Declared, &tests, &Stop, &mut || {
        done += 1;
        bar.position(done, tests.len());
    })?;
    drop(bar);
    if scores.is_none() {
        output::note(
            "no retrieval scores: the model's context or vocabulary cannot hold the needles' texts",
        );
    }
    Ok(scores)
}

/// Stops a run that is interrupted.
struct Stop;

impl Hooks for Stop {
    fn before_layer(&self, _done: usize, _layers: usize) -> ControlFlow<()> {
        match interrupt::requested() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// Where they are kept; nowhere for a model whose file has no known hash.
fn file(loaded: &Loaded) -> Option<PathBuf> {
    let sha256 = loaded.resolved.sha256.as_ref()?;
    let store = Store::from_env().ok()?;
    Some(
        store
            .settings()
            .cache
            .join("scores")
            .join(format!("{sha256}.json")),
    )
}

/// What is kept, where it is whole and of this format and model.
fn read(file: &Path, loaded: &Loaded) -> Option<ModelScores> {
    let scores: ModelScores = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    let config = loaded.model.config();
    let heads = config.layers * config.heads;
    let whole = scores.probes.len() == heads && scores.copying.len() == heads;
    (scores.format == FORMAT && whole).then_some(scores)
}

fn write(file: &Path, scores: &ModelScores) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    output::write_file(file, |out| Ok(serde_json::to_writer(out, scores)?))
}
