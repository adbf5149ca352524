//! Scores that belong to a model and not to a text, computed once and kept.

use std::fs;
use std::path::{Path, PathBuf};

use lookback_heads::model_scores::{ModelScores, Stage};
use lookback_model::store::Store;
use serde::{Deserialize, Serialize};

use crate::context::Loaded;
use crate::layer_progress::StopWhenAsked;
use crate::progress::Line;
use crate::{interrupt, output};

/// Another whenever the scores would be computed otherwise.
const FORMAT: &str = "lookback-model-scores/2";

/// The scores as a file keeps them.
#[derive(Serialize, Deserialize)]
struct Kept<S> {
    format: String,
    #[serde(flatten)]
    scores: S,
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
    let mut line: Option<(Stage, Line)> = None;
    let scores = ModelScores::compute(&loaded.model, &StopWhenAsked, &mut |at| {
        let (_, line) = match line.take() {
            Some((stage, shown)) if stage == at.stage => line.insert((stage, shown)),
            // One line goes before another comes.
            old => {
                drop(old);
                line.insert((at.stage, Line::counting(name(at.stage))))
            }
        };
        line.position(at.of_stage.0 as u64, at.of_stage.1 as u64);
    });
    drop(line);
    interrupt::check()?;
    let scores = scores?;
    if scores.retrieval.is_none() {
        output::note(
            "no retrieval scores: the model's context or vocabulary cannot hold the needles' texts",
        );
    }
    Ok(scores)
}

fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Copying => "scores from the weights",
        Stage::Probes => "random repeated tokens",
        Stage::Retrieval => "needles in other texts",
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
    let kept: Kept<ModelScores> = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    let spec = loaded.model.spec();
    let whole = kept.scores.is_whole(spec.layers.len() * spec.heads);
    (kept.format == FORMAT && whole).then_some(kept.scores)
}

fn write(file: &Path, scores: &ModelScores) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let kept = Kept {
        format: FORMAT.to_owned(),
        scores,
    };
    output::write_file(file, |out| Ok(serde_json::to_writer(out, &kept)?))
}
