//! The trace itself.

use std::ops::Range;
use std::path::Path;

use ndarray::{Array1, Array2, ArrayView1, CowArray, Ix2};

use crate::{Dtype, Error, Layer, Meta, Words};

/// What one run of a model leaves behind, held in memory or mapped from a file.
#[derive(Debug)]
pub struct Trace {
    meta: Meta,
    layers: Vec<Layer>,
    words: Words,
}

/// How a trace is saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SaveOptions {
    /// How queries and keys (and values) are stored.
    pub qk_dtype: Dtype,
    /// Whether values are stored too; [`Trace::values_bytes`] says what that costs.
    pub values: bool,
}

/// What saving a trace came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saved {
    /// Size of the file.
    pub bytes: u64,
    /// How much of it the values take.
    pub values_bytes: u64,
    /// The largest change of any weight by rounding to f16; none where nothing was rounded.
    pub max_weight_change: Option<f32>,
}

/// What one word looks back at, word by word.
#[derive(Debug, Clone, PartialEq)]
pub struct WordWeights {
    /// Weight on each word, in the order of [`Trace::words`].
    pub words: Vec<f32>,
    /// Weight on the prefix tokens.
    pub prefix: f32,
    /// Weight on tokens that belong to no word: white space, and special tokens after the text.
    pub other: f32,
}

#[expect(clippy::unimplemented, unused_variables, missing_docs)]
impl Trace {
    pub fn new(meta: Meta, layers: Vec<Layer>) -> Result<Self, Error> {
        unimplemented!()
    }
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        unimplemented!()
    }
    pub fn save(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<Saved, Error> {
        unimplemented!()
    }
    /// Size in bytes of all values when stored so; none where the run kept none.
    pub fn values_bytes(&self, dtype: Dtype) -> Option<u64> {
        unimplemented!()
    }
    pub fn meta(&self) -> &Meta {
        &self.meta
    }
    /// N, the number of tokens.
    pub fn n(&self) -> usize {
        self.meta.tokens.len()
    }
    pub fn layer_count(&self) -> usize {
        self.layers.len()
    }
    /// H of a layer; 0 where there is no such layer.
    pub fn head_count(&self, layer: usize) -> usize {
        unimplemented!()
    }
    pub fn kv_head_count(&self, layer: usize) -> usize {
        unimplemented!()
    }
    /// The head's queries: [N, d_k].
    pub fn q(&self, layer: usize, head: usize) -> Result<CowArray<'_, f32, Ix2>, Error> {
        unimplemented!()
    }
    /// The keys that a query head reads: [N, d_k].
    pub fn k(&self, layer: usize, head: usize) -> Result<CowArray<'_, f32, Ix2>, Error> {
        unimplemented!()
    }
    /// The values that a query head reads: [N, d_v]; none where the run kept none.
    pub fn v(&self, layer: usize, head: usize) -> Result<Option<CowArray<'_, f32, Ix2>>, Error> {
        unimplemented!()
    }
    pub fn lse(&self, layer: usize, head: usize) -> Result<ArrayView1<'_, f32>, Error> {
        unimplemented!()
    }
    pub fn vnorm(&self, layer: usize, head: usize) -> Result<ArrayView1<'_, f32>, Error> {
        unimplemented!()
    }
    pub fn row(&self, layer: usize, head: usize, i: usize) -> Result<Array1<f32>, Error> {
        unimplemented!()
    }
    pub fn weights(
        &self,
        layer: usize,
        head: usize,
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Result<Array2<f32>, Error> {
        unimplemented!()
    }
    pub fn words(&self) -> &Words {
        &self.words
    }
    /// Sub-tokens summed over keys and averaged over queries.
    pub fn word_weights(
        &self,
        layer: usize,
        head: usize,
        query_word: usize,
    ) -> Result<WordWeights, Error> {
        unimplemented!()
    }
}
