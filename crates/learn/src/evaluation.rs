//! The sentences that a model is judged by: drawn once, by fixed seeds, and the same for every model.

use lookback_model::tokenizer::Tokenizer;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::Error;
use crate::batch::Example;
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

/// The same, encoded.
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
