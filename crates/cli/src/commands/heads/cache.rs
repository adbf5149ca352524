//! Scores that belong to a model and not to a text, computed once and kept.

use std::fs;
use std::path::PathBuf;

use lookback_heads::copying::{Copying, copying};
use lookback_heads::probes::{ProbeScores, Repeated};
use lookback_model::store::Store;
use serde::{Deserialize, Serialize};

use crate::context::Loaded;
use crate::progress::CountBar;
use crate::{interrupt, output};

/// Changes whenever the scores would be computed otherwise.
const FORMAT: &str = "lookback-model-scores/1";

/// The scores of every head that need no text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelScores {
    format: String,
    /// On random repeated tokens.
    pub(crate) probes: Vec<ProbeScores>,
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
    let probes = repeated.scores(model, &(), &mut || {
        done += 1;
        bar.position(done, total);
    })?;
    Ok(ModelScores {
        format: FORMAT.to_owned(),
        probes,
        copying: copying.unwrap_or_default(),
    })
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
fn read(file: &PathBuf, loaded: &Loaded) -> Option<ModelScores> {
    let scores: ModelScores = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    let config = loaded.model.config();
    let heads = config.layers * config.heads;
    let whole = scores.probes.len() == heads && scores.copying.len() == heads;
    (scores.format == FORMAT && whole).then_some(scores)
}

fn write(file: &PathBuf, scores: &ModelScores) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let aside = file.with_extension(format!("{}.part", std::process::id()));
    let written =
        fs::write(&aside, serde_json::to_vec(scores)?).and_then(|()| fs::rename(&aside, file));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    Ok(written?)
}
