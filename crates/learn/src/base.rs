//! The frozen table and the tokenizer that everything here is trained over.

use std::path::Path;
use std::sync::Arc;

use lookback_model::checkpoint::Checkpoint;
use lookback_model::tokenizer::Tokenizer;

use crate::error::Error;
use crate::evaluation_set;
use crate::sentences::{Set, Split};
use crate::vocabulary::{TABLE, Vocabulary};

/// A frozen embedding table with its tokenizer, as a `pronoun` file holds them.
pub struct Base {
    checkpoint: Checkpoint,
    values: Arc<Vec<f32>>,
    d: usize,
}

impl Base {
    /// Those of a `pronoun` file.
    ///
    /// # Errors
    /// [`Error::Model`] where the file cannot be used.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let checkpoint = Checkpoint::open(path).map_err(lookback_model::Error::from)?;
        let table = checkpoint
            .tensor_f32(TABLE)
            .map_err(lookback_model::Error::from)?;
        let d = table.dim(1)?;
        Ok(Self {
            values: Arc::new(table.flatten_all()?.to_vec1()?),
            checkpoint,
            d,
        })
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        self.checkpoint.tokenizer()
    }

    /// The table: \[tokens · d\].
    #[must_use]
    pub fn values(&self) -> Arc<Vec<f32>> {
        Arc::clone(&self.values)
    }

    /// d, the embeddings' dimension.
    #[must_use]
    pub fn d(&self) -> usize {
        self.d
    }
}

/// The part of a model's vocabulary that the `pronoun` model has: its `keep` most frequent tokens, and those of the
/// sentences of all splits.
///
/// # Errors
/// As [`Vocabulary::reduce`].
pub fn vocabulary(source: &Path, keep: usize) -> Result<Vocabulary, Error> {
    let splits = [
        Split::Training,
        Split::HeldOutNames,
        Split::HeldOutTemplates,
    ];
    let items = splits
        .into_iter()
        .flat_map(|split| evaluation_set::items(split, Set::Outcome, 1_500));
    let texts: Vec<String> = items.map(|item| item.text).collect();
    Vocabulary::reduce(source, keep, &texts)
}
