//! Weights from word to word.

use std::borrow::Cow;
use std::ops::Range;

use ndarray::{Array1, ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::row_sum::sum;
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
        // A slice, because words are short: a view for each would cost more than its sum.
        let row = row
            .as_slice()
            .map_or_else(|| Cow::from(row.to_vec()), Cow::from);
        let mass = |from: usize, to: usize| {
            let to = to.min(row.len());
            // Where f32 cannot tell the LSE of large scores, a row may sum to more than 1.
            sum(row[from.min(to)..to].iter().copied()).min(1.0)
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
            other: (other + mass(end, row.len())).min(1.0) as f32,
        }
    }
}

impl Head<'_> {
    /// The mean of some queries' weights over keys: \[M\]. Memory is O(M), however many queries there are.
    ///
    /// # Errors
    /// [`Error::NoSuchTokens`] where there are no queries in the range, and as [`weights`](Head::weights).
    pub fn mean_row(&self, rows: Range<usize>) -> Result<Array1<f32>, Error> {
        if rows.is_empty() || rows.end > self.n() {
            let (what, range, n) = ("queries", rows, self.n());
            return Err(Error::NoSuchTokens { what, range, n });
        }
        let count = rows.len() as f64;
        let mut total = Array1::<f64>::zeros(self.m());
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
    /// [`Error::NoSuchWord`], [`Error::CrossAttention`], and as [`Trace::weights`].
    pub fn word_weights(
        &self,
        layer: usize,
        head: usize,
        query_word: usize,
    ) -> Result<WordWeights, Error> {
        let tokens = self.tokens_of_word(query_word)?;
        let row = self.head(layer, head)?.mean_row(tokens)?;
        Ok(WordWeights::from_keys(
            row.view(),
            self.words(),
            self.meta().prefix_tokens,
        ))
    }

    /// [`word_weights`](Self::word_weights) of many words and every head of a layer, in one walk: a list of the words' for
    /// each head.
    ///
    /// # Errors
    /// As [`word_weights`](Self::word_weights).
    pub fn word_weights_of_heads(
        &self,
        layer: usize,
        query_words: &[usize],
    ) -> Result<Vec<Vec<WordWeights>>, Error> {
        let (words, prefix) = (self.words(), self.meta().prefix_tokens);
        let tokens = query_words
            .iter()
            .map(|&word| self.tokens_of_word(word))
            .collect::<Result<Vec<_>, Error>>()?;
        let rows = self.mean_rows(layer, &tokens)?;
        let of_head = |rows: ArrayView2<f32>| {
            let rows = rows.outer_iter();
            rows.map(|row| WordWeights::from_keys(row, words, prefix))
                .collect()
        };
        let heads: Vec<_> = rows.outer_iter().collect();
        Ok(heads.into_par_iter().map(of_head).collect())
    }

    fn tokens_of_word(&self, word: usize) -> Result<Range<usize>, Error> {
        self.require_self_attention("What a word looks at")?;
        let words = self.words();
        let found = words.get(word).ok_or(Error::NoSuchWord {
            word,
            words: words.len(),
        })?;
        Ok(found.tokens.clone())
    }
}
