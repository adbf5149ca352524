//! Keys and values of what was read, for decoding.

use ndarray::Array3;

/// Keys and values of every layer for the tokens read so far.
#[derive(Debug, Clone)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    tokens: usize,
}

/// One layer's keys and values, with room to grow.
#[derive(Debug, Clone)]
struct LayerCache {
    /// \[H_kv, capacity, d_k\]
    k: Array3<f32>,
    /// \[H_kv, capacity, d_v\]
    v: Array3<f32>,
}

impl KvCache {
    /// How many tokens it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens == 0
    }
}
