//! The sentences that every model is evaluated on: drawn by fixed seeds, and so the same for all.

use std::io::Write as _;
use std::path::Path;

use lookback_model::tokenizer::Tokenizer;
use lookback_model::write_atomic;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde::Serialize;

use crate::batch::Example;
use crate::error::Error;
use crate::sentences::{Item, ReadFrom, Set, Split, draw};

/// Sentences of a split, all swapped forms of `draws` draws.
#[must_use]
pub fn items(split: Split, set: Set, draws: usize) -> Vec<Item> {
    let seed = match split {
        Split::Training => 101,
        Split::HeldOutNames => 102,
        Split::HeldOutTemplates => 103,
    };
    let mut rng = StdRng::seed_from_u64(seed);
    (0..draws)
        .flat_map(|_| draw(split, &mut rng).forms(set))
        .collect()
}

/// Writes sentences, or what else is a line of JSON each, to a file, which appears whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn save_lines(path: &Path, lines: &[impl Serialize]) -> Result<(), Error> {
    write_atomic(path, |file| {
        for line in lines {
            serde_json::to_writer(&mut *file, line)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })
    .map_err(Error::io(path))
}

/// The sentences of [`items`], encoded.
///
/// # Errors
/// As [`Example::new`].
pub fn examples(
    split: Split,
    (set, read): (Set, ReadFrom),
    draws: usize,
    tokenizer: &Tokenizer,
) -> Result<Vec<Example>, Error> {
    Example::all(&items(split, set, draws), tokenizer, read)
}
