//! Weights from word to word.

use std::ops::Range;

use ndarray::{Array1, ArrayView1};

use crate::statistics::sum;
use crate::{Error, Head, Trace, Words};

/// What one query looks back at, word by word. With no sink in the softmax, all of it sums to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct WordWeights {
    /// Weight on each word, in the order of [`Trace::words`].
    pub words: Vec<f32>,
    /// Weight on the prefix tokens, which most often act as the sink.
    pub prefix: f32,
    /// Weight on tokens that belong to no word: white space, and tokens that stand for no byte of the text. A special
    /// token that the text spells out is a word.
    pub other: f32,
}

impl WordWeights {
    /// Sums a row of weights over keys, \[N\], over the tokens of each word.
    ///
    /// Words and prefix must be of the same N tokens; what lies outside the row counts as nothing.
    #[must_use]
    pub fn from_keys(row: ArrayView1<f32>, words: &Words, prefix_tokens: usize) -> Self {
        let mass = |from: usize, to: usize| {
            let to = to.min(row.len());
            sum(row.slice(ndarray::s![from.min(to)..to]).iter().copied())
        };
        let mut end = prefix_tokens;
        let mut other = 0.0;
        let mut each = Vec::with_capacity(words.len());
        for word in words {
            other += mass(end, word.tokens.start);
            each.push(mass(word.tokens.start, word.tokens.end) as f32);
            end = word.tokens.end;
        }
        Self {
            words: each,
            prefix: mass(0, prefix_tokens) as f32,
            other: (other + mass(end, row.len())) as f32,
        }
    }
}

impl Head<'_> {
    /// The mean of some queries' weights over keys: \[N\]. Memory is O(N), however many queries there are.
    ///
    /// # Errors
    /// [`Error::NoSuchTokens`] where there are no queries in the range, and as [`weights`](Head::weights).
    pub fn mean_row(&self, rows: Range<usize>) -> Result<Array1<f32>, Error> {
        if rows.is_empty() || rows.end > self.n() {
            let (what, range, n) = ("queries", rows, self.n());
            return Err(Error::NoSuchTokens { what, range, n });
        }
        let count = rows.len() as f64;
        let mut total = Array1::<f64>::zeros(self.n());
        self.for_each_row(rows, |_, row| {
            total.zip_mut_with(&row, |sum, &w| *sum += f64::from(w));
        })?;
        Ok(total.mapv(|sum| (sum / count) as f32))
    }
}

impl Trace {
    /// What a word looks back at: weights summed over the tokens of each key word, averaged over the tokens of the
    /// query word; what lies on the prefix is kept apart.
    ///
    /// # Errors
    /// [`Error::NoSuchWord`], and as [`Trace::weights`].
    pub fn word_weights(
        &self,
        layer: usize,
        head: usize,
        query_word: usize,
    ) -> Result<WordWeights, Error> {
        let words = self.words();
        let word = words.get(query_word).ok_or(Error::NoSuchWord {
            word: query_word,
            words: words.len(),
        })?;
        let row = self.head(layer, head)?.mean_row(word.tokens.clone())?;
        Ok(WordWeights::from_keys(
            row.view(),
            words,
            self.meta().prefix_tokens,
        ))
    }
}
