//! Keys and values of what was read, for decoding.

use lookback_attention::decode::Workspace;
use ndarray::{Array3, ArrayView3, Axis, s};

use crate::Error;
use crate::spec::Spec;

/// Positions that a growing cache makes room for at least.
const MIN_GROWTH: usize = 64;

/// Keys and values of every layer for the tokens read so far.
///
/// It takes 4 · layers · H_kv · (d_k + d_v) bytes a token, and makes room for more by a quarter at a time.
#[derive(Debug, Clone)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    tokens: usize,
    /// What decoding from it needs beside it.
    workspace: Workspace,
}

/// One layer's keys and values, with room to grow.
#[derive(Debug, Clone)]
pub(super) struct LayerCache {
    /// \[H_kv, capacity, d_k\]
    k: Array3<f32>,
    /// \[H_kv, capacity, d_v\]
    v: Array3<f32>,
}

impl KvCache {
    /// An empty cache for such a model.
    pub(super) fn empty(spec: &Spec) -> Self {
        Self::with(
            spec.layers.len(),
            spec.kv_heads,
            (spec.head_dim, spec.head_dim),
        )
    }

    /// An empty cache of `kv_heads` heads of d_k and d_v entries a layer.
    fn with(layers: usize, kv_heads: usize, (d_k, d_v): (usize, usize)) -> Self {
        let layer = LayerCache {
            k: Array3::zeros((kv_heads, 0, d_k)),
            v: Array3::zeros((kv_heads, 0, d_v)),
        };
        Self {
            layers: vec![layer; layers],
            tokens: 0,
            workspace: Workspace::new(),
        }
    }

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

    /// Forgets all tokens from `tokens` on; does nothing where it holds no more than that.
    pub fn truncate(&mut self, tokens: usize) {
        self.tokens = self.tokens.min(tokens);
    }

    /// # Errors
    /// [`Error::Cache`] where it was made for a model of another shape.
    pub(super) fn check(&self, spec: &Spec) -> Result<(), Error> {
        self.fits(
            spec.layers.len(),
            spec.kv_heads,
            (spec.head_dim, spec.head_dim),
        )
    }

    fn fits(
        &self,
        layers: usize,
        kv_heads: usize,
        (d_k, d_v): (usize, usize),
    ) -> Result<(), Error> {
        let found = self
            .layers
            .first()
            .map(|layer| (layer.k.dim(), layer.v.dim()));
        let fits = self.layers.len() == layers
            && found.is_some_and(|(k, v)| (k.0, k.2, v.2) == (kv_heads, d_k, d_v));
        if fits {
            return Ok(());
        }
        let (k, v) = found.unwrap_or_default();
        Err(Error::Cache {
            what: format!(
                "it has {} layers of {} key/value heads with d_k = {} and d_v = {}, the model {} of {} with {} and {}",
                self.layers.len(),
                k.0,
                k.2,
                v.2,
                layers,
                kv_heads,
                d_k,
                d_v
            ),
        })
    }

    /// Puts a layer's keys and values of new tokens behind those that it holds, without counting them yet.
    pub(super) fn append(&mut self, layer: usize, k: Array3<f32>, v: Array3<f32>) {
        let layer = &mut self.layers[layer];
        if self.tokens == 0 {
            *layer = LayerCache { k, v };
        } else {
            append(&mut layer.k, self.tokens, k.view());
            append(&mut layer.v, self.tokens, v.view());
        }
    }

    /// A layer's keys and values of the first `tokens` tokens: \[H_kv, tokens, d_k\] and \[H_kv, tokens, d_v\].
    pub(super) fn layer(
        &self,
        layer: usize,
        tokens: usize,
    ) -> (ArrayView3<'_, f32>, ArrayView3<'_, f32>) {
        let layer = &self.layers[layer];
        let first = s![.., ..tokens, ..];
        (layer.k.slice(first), layer.v.slice(first))
    }

    /// Lends the memory that decoding works in, while the cache is being read.
    pub(super) fn take_workspace(&mut self) -> Workspace {
        std::mem::take(&mut self.workspace)
    }

    /// Takes it back, to use again.
    pub(super) fn give_workspace(&mut self, workspace: Workspace) {
        self.workspace = workspace;
    }

    /// Counts tokens whose keys and values every layer has been given.
    pub(super) fn count(&mut self, tokens: usize) {
        self.tokens += tokens;
    }
}

/// Writes `new` \[H_kv, n, d\] behind the first `used` positions of `all` \[H_kv, capacity, d\].
fn append(all: &mut Array3<f32>, used: usize, new: ArrayView3<f32>) {
    let (kv_heads, n, d) = new.dim();
    let needed = used + n;
    if all.len_of(Axis(1)) < needed {
        let capacity = needed + (needed / 4).max(MIN_GROWTH);
        let mut grown = Array3::zeros((kv_heads, capacity, d));
        let first = s![.., ..used, ..];
        grown.slice_mut(first).assign(&all.slice(first));
        *all = grown;
    }
    all.slice_mut(s![.., used..needed, ..]).assign(&new);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appending_keeps_what_was_there() {
        let value = |h: usize, j: usize, c: usize| (h * 10_000 + j * 10 + c) as f32;
        let mut cache = KvCache::with(1, 2, (3, 2));
        let mut read = 0;
        for n in [5, 1, 1, 200, 1] {
            let part = |d| Array3::from_shape_fn((2, n, d), |(h, j, c)| value(h, read + j, c));
            cache.append(0, part(3), part(2));
            cache.count(n);
            read += n;
        }
        let (k, v) = cache.layer(0, read);
        assert_eq!(
            k,
            Array3::from_shape_fn((2, 208, 3), |(h, j, c)| value(h, j, c))
        );
        assert_eq!(
            v,
            Array3::from_shape_fn((2, 208, 2), |(h, j, c)| value(h, j, c))
        );
        assert!(cache.fits(1, 2, (3, 2)).is_ok());
        assert!(cache.fits(1, 2, (4, 2)).is_err());
    }
}
