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

mod event;
mod run;
mod runs;
mod setting;
mod table;

pub use event::{Event, Observer};
pub use run::Embeddings;
pub use runs::{Run, Runs};
pub use setting::{Length, Setting, Study};
pub use table::{Cell, Row, Table};

use crate::error::Error;
use run::run_one;

/// Runs what is not yet done of a study, and gives its table.
///
/// # Errors
/// [`Error::Stopped`] where the observer breaks off; called again, it goes on from there.
pub fn run(study: &Study, embeddings: &Embeddings, observe: Observer) -> Result<Table, Error> {
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
                let run = run_one(study, setting, seed, embeddings, observe)?;
                runs.add(run)?;
            }
            done += 1;
        }
    }
    let table = Table::new(&settings, runs.all());
    table.save(&study.folder.join("table.json"))?;
    Ok(table)
}
