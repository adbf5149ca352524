//! A model in a file, run through the library that runs all models, and what it gives each candidate.

use lookback_model::{Logits, Model, Prefix, TraceOptions, Traced};

use crate::batch::Example;
use crate::error::Error;
use crate::sentences::{Item, ReadFrom};

/// The weight on each candidate from the row that is read, the mean over the heads of the layers that answer (of the
/// `pronoun` model the pointer's, of a language model all).
///
/// # Errors
/// As [`Example::new`] and [`Model::trace`].
pub fn masses(model: &Model, items: &[Item], read: ReadFrom) -> Result<Vec<[f64; 2]>, Error> {
    use rayon::prelude::*;
    items
        .par_iter()
        .map(|item| one(model, item, read))
        .collect()
}

fn one(model: &Model, item: &Item, read: ReadFrom) -> Result<[f64; 2], Error> {
    let example = Example::new(item, model.tokenizer(), read)?;
    let trace = run(model, &item.text)?.trace;
    let mut masses = [0.0; 2];
    let mut heads = 0;
    for layer in model.answering_layers() {
        for head in 0..trace.head_count(layer) {
            let row = trace
                .row(layer, head, example.ids.len() - 1)
                .map_err(lookback_model::Error::from)?;
            for (mass, tokens) in masses.iter_mut().zip(&example.candidates) {
                *mass += tokens
                    .iter()
                    .map(|&token| f64::from(row[token]))
                    .sum::<f64>();
            }
            heads += 1;
        }
    }
    Ok(masses.map(|mass| mass / f64::from(heads.max(1))))
}

/// What a model's heads do on a text behind the prefix declared for it.
///
/// # Errors
/// [`Error::Tokenizer`], [`Error::Model`].
pub fn run(model: &Model, text: &str) -> Result<Traced, Error> {
    let encoding = model.tokenizer().encode(text, &Prefix::Declared)?;
    let options = TraceOptions {
        logits: Logits::None,
        ..TraceOptions::default()
    };
    Ok(model.trace(&encoding, &options, &())?)
}
