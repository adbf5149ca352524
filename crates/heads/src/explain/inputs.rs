//! What an explanation is computed from, and which of it is shown.

use std::ops::Range;

use lookback_model::LayerInternals;
use lookback_model::spec::{EmbeddingSpec, LayerSpec};
use lookback_trace::{HeadId, Words};
use ndarray::{Array2, ArrayView2, s};

use super::build::{Cut, excerpt};
use super::explanation::{Dimensions, Excerpt};
use crate::Candidate;
use crate::select::tokens_of;

/// Everything that an explanation is computed from.
pub(super) struct Inputs<'a> {
    pub(super) text: &'a str,
    pub(super) words: &'a Words,
    /// What each token is: N names.
    pub(super) token_names: Vec<String>,
    pub(super) prefix_tokens: usize,
    pub(super) head: HeadId,
    /// How many layers the model has.
    pub(super) layers: usize,
    /// The word that is followed: one of the words, or several in a row.
    pub(super) word: Range<usize>,
    /// The names it may refer to.
    pub(super) candidates: Vec<Candidate>,
    /// Rows of the embedding table: \[N, d\].
    pub(super) embeddings: Array2<f32>,
    /// What the model computed in the head's layer.
    pub(super) internals: LayerInternals,
    /// Whether logits are made of what the last layer gives.
    pub(super) has_output_head: bool,
    /// How token ids become the first layer's input.
    pub(super) embedding: EmbeddingSpec,
    /// What the head's layer is made of.
    pub(super) layer: LayerSpec,
    /// How many entries a matrix shows along each side, at least 1; the followed row is always among them.
    pub(super) entries: usize,
}

impl Inputs<'_> {
    pub(super) fn dimensions(&self) -> Dimensions {
        let inside = &self.internals;
        let (heads, n, d_k) = inside.q.dim();
        let (kv_heads, _, d_v) = inside.v.dim();
        Dimensions {
            n,
            d: inside.x.ncols(),
            d_k,
            d_v,
            heads,
            kv_heads,
            layers: self.layers,
        }
    }

    /// Angle a position of each pair of entries of q and k: \[dims / 2\], empty where nothing turns.
    pub(super) fn frequencies(&self) -> Vec<f32> {
        let rope = self.layer.attention.rope.as_ref();
        rope.map_or_else(Vec::new, |rope| rope.frequencies(self.token_names.len()))
    }

    /// What the projections read: X̂, or X where there is no norm before them.
    pub(super) fn x_symbol(&self) -> &'static str {
        match self.layer.attention_norms.before {
            Some(_) => "X̂",
            None => "X",
        }
    }

    /// The key/value head that the query head reads.
    pub(super) fn kv_head(&self) -> usize {
        let Dimensions {
            heads, kv_heads, ..
        } = self.dimensions();
        self.head.head / (heads / kv_heads)
    }

    /// The token that is followed: the word's last.
    pub(super) fn token(&self) -> usize {
        tokens_of(self.words, &self.word).end.max(1) - 1
    }

    /// The keys that the followed token sees.
    pub(super) fn seen(&self) -> Range<usize> {
        let n = self.token_names.len();
        self.internals.scoring.mask.visible(self.token(), n)
    }

    /// The tokens of a candidate that the followed one sees.
    pub(super) fn candidate_tokens(&self, candidate: &Candidate) -> Vec<usize> {
        let words = candidate.words.iter().filter_map(|&w| self.words.get(w));
        let mut tokens: Vec<usize> = words
            .flat_map(|w| w.tokens.clone())
            .filter(|&t| self.seen().contains(&t))
            .collect();
        tokens.dedup();
        tokens
    }

    /// The columns of `w` \[d, heads·size\] that belong to one head, in f64: \[d, size\].
    pub(super) fn head_columns(w: &Array2<f32>, head: usize, size: usize) -> Array2<f64> {
        w.slice(s![.., head * size..(head + 1) * size])
            .mapv(f64::from)
    }

    /// An excerpt of a matrix with a row a token: the first rows and the followed one.
    pub(super) fn by_token(&self, symbol: &str, meaning: &str, matrix: ArrayView2<f64>) -> Excerpt {
        let cut = Cut {
            rows: &self.first_and(matrix.nrows(), self.token()),
            columns: &first(matrix.ncols(), self.entries),
            row_names: &self.token_names,
            column_names: &[],
        };
        excerpt(symbol, meaning, matrix, &cut)
    }

    /// As [`by_token`](Self::by_token), of a matrix in which every head has `size` columns: the first columns, and the
    /// first of the walk's head.
    pub(super) fn by_token_and_head(
        &self,
        symbol: &str,
        meaning: &str,
        matrix: ArrayView2<f64>,
        size: usize,
    ) -> Excerpt {
        let start = self.head.head * size;
        let of_head = self.entries.div_ceil(2).min(size);
        let mut columns = first(start, self.entries - self.entries.div_ceil(2));
        columns.extend(start..start + of_head);
        let cut = Cut {
            rows: &self.first_and(matrix.nrows(), self.token()),
            columns: &columns,
            row_names: &self.token_names,
            column_names: &[],
        };
        excerpt(symbol, meaning, matrix, &cut)
    }

    /// An excerpt of a matrix of weights or scores: the first tokens, and those around the followed one, along both
    /// sides.
    pub(super) fn by_token_pair(
        &self,
        symbol: &str,
        meaning: &str,
        matrix: ArrayView2<f64>,
    ) -> Excerpt {
        let around = self.around(matrix.nrows());
        let cut = Cut {
            rows: &around,
            columns: &around,
            row_names: &self.token_names,
            column_names: &self.token_names,
        };
        excerpt(symbol, meaning, matrix, &cut)
    }

    /// An excerpt of a projection: its first rows and columns.
    pub(super) fn corner(&self, symbol: &str, meaning: &str, matrix: ArrayView2<f64>) -> Excerpt {
        let cut = Cut {
            rows: &first(matrix.nrows(), self.entries),
            columns: &first(matrix.ncols(), self.entries),
            row_names: &[],
            column_names: &[],
        };
        excerpt(symbol, meaning, matrix, &cut)
    }

    /// The first indices below `len`, and `also`.
    fn first_and(&self, len: usize, also: usize) -> Vec<usize> {
        let mut chosen = first(len, self.entries);
        if !chosen.contains(&also) {
            chosen.pop();
            chosen.push(also);
        }
        chosen
    }

    /// Half of the entries from the start, the rest ending one after the followed token, so that the mask shows.
    fn around(&self, len: usize) -> Vec<usize> {
        let end = (self.token() + 2).min(len);
        let near = self.entries.div_ceil(2).max(2).min(end);
        let mut chosen = first(end - near, self.entries - self.entries.div_ceil(2));
        chosen.extend(end - near..end);
        chosen
    }
}

fn first(len: usize, count: usize) -> Vec<usize> {
    (0..len.min(count)).collect()
}
