//! The shapes of a layer's tensors, and how long the header of a file of such layers is.

use crate::container::{Entry, header};
use crate::layer::Stored;
use crate::{Dtype, Error, Meta, Trace, Version, metadata};

/// The shapes of one layer's tensors in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerShape {
    /// H, the number of query heads.
    pub heads: usize,
    /// H_kv, the number of key heads.
    pub kv_heads: usize,
    /// N, the number of queries.
    pub n: usize,
    /// M, the number of keys.
    pub m: usize,
    /// The head dimension of queries and keys.
    pub d_k: usize,
    /// Whether it holds the norms of values.
    pub has_vnorm: bool,
    /// The shape of its bias.
    pub bias: Option<[usize; 3]>,
    /// The head dimension of values, where they are kept.
    pub d_v: Option<usize>,
}

impl LayerShape {
    /// Those of a layer that is held, with or without its values.
    pub(crate) fn of(layer: &Stored, values: bool) -> Self {
        Self {
            heads: layer.q.heads,
            kv_heads: layer.k.heads,
            n: layer.q.rows,
            m: layer.k.rows,
            d_k: layer.q.width,
            has_vnorm: layer.vnorm.is_some(),
            bias: layer.bias.as_ref().map(|b| [b.heads, b.rows, b.width]),
            d_v: layer.v.as_ref().filter(|_| values).map(|v| v.width),
        }
    }

    /// The tensors of the file's layer `at`, each with its name in the layer.
    pub(crate) fn entries(&self, at: usize, dtype: Dtype) -> Vec<(&'static str, Entry)> {
        let &LayerShape {
            heads,
            kv_heads,
            n,
            m,
            ..
        } = self;
        let mut entries = Vec::with_capacity(6);
        let mut add = |name, shape: &[usize], dtype| {
            let entry = Entry {
                name: format!("layers.{at}.{name}"),
                shape: shape.to_vec(),
                dtype,
            };
            entries.push((name, entry));
        };
        add("lse", &[heads, n], Dtype::F32);
        if self.has_vnorm {
            add("vnorm", &[heads, m], Dtype::F32);
        }
        if let Some(bias) = &self.bias {
            add("bias", bias, Dtype::F32);
        }
        add("q", &[heads, n, self.d_k], dtype);
        add("k", &[kv_heads, m, self.d_k], dtype);
        if let Some(d_v) = self.d_v {
            add("v", &[kv_heads, m, d_v], dtype);
        }
        entries
    }
}

impl Trace {
    /// The shapes of a layer's tensors in a file without values.
    ///
    /// # Errors
    /// [`Error::NoSuchLayer`], [`Error::NotAttention`].
    pub fn layer_shape(&self, layer: usize) -> Result<LayerShape, Error> {
        let stored = &self.layers()[self.find_layer(layer)?];
        Ok(LayerShape::of(stored, false))
    }
}

impl Meta {
    /// How many bytes of a file of such layers come before the first number, without computing anything: for whoever says how
    /// large a file will be. Exact but for how many digits tell what rounding does.
    #[must_use]
    pub fn header_bytes(&self, layers: &[LayerShape]) -> u64 {
        let each = layers.iter().enumerate();
        let entries = each.flat_map(|(at, layer)| layer.entries(at, self.qk_dtype));
        let mut entries: Vec<Entry> = entries.map(|(_, entry)| entry).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.dtype.size()));
        let entries: Vec<&Entry> = entries.iter().collect();
        let has_vnorm = layers.iter().all(|layer| layer.has_vnorm);
        let has_bias = layers.iter().any(|layer| layer.bias.is_some());
        let version = Version::needed(self, has_vnorm, has_bias);
        header(&metadata::write(self, version), &entries).len() as u64
    }
}
