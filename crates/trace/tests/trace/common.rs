//! Small traces for the tests, and their weights computed the long way.

use std::path::Path;

use lookback_trace::{Cut, Layer, Mask, Meta, SaveOptions, Scoring, Trace};
use ndarray::{Array, Array2, Dimension, ShapeBuilder};

/// Sizes of a trace to be made up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) n: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) d_k: usize,
    pub(crate) d_v: usize,
}

pub(crate) const SMALL: Sizes = Sizes {
    n: 6,
    heads: 4,
    kv_heads: 2,
    d_k: 3,
    d_v: 5,
};

/// Numbers in −1..1 that look random (xorshift64*) and are the same on every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40;
        bits as f32 / (1 << 23) as f32 - 1.0
    }

    pub(crate) fn array<D: Dimension>(
        &mut self,
        shape: impl ShapeBuilder<Dim = D>,
    ) -> Array<f32, D> {
        Array::from_shape_simple_fn(shape, || 2.0 * self.next())
    }
}

/// The scores of one head the way the format's definition puts them, in f64; none where a query may not look.
pub(crate) fn scores(
    layer: &Layer,
    meta: &Scoring<'static>,
    head: usize,
    cuts: &[Cut],
) -> Vec<Vec<Option<f64>>> {
    let (heads, n, _) = layer.q.dim();
    let kv_head = head / (heads / layer.k.dim().0);
    let score = |i: usize, j: usize| {
        let (p, k) = (i as isize, j as isize);
        let (sees, distance) = match meta.mask {
            Mask::None => (true, p - k),
            Mask::StrictlyBefore { .. } => unreachable!("a trace cannot hold it"),
            Mask::Causal { offset } => (k <= p + offset, p + offset - k),
            Mask::Window { window, offset } => (
                // In i128, where no window wraps around.
                (p + offset) as i128 - (window as i128) < k as i128 && k <= p + offset,
                p + offset - k,
            ),
        };
        if !sees || cuts.iter().any(|c| (c.head, c.i, c.j) == (head, i, j)) {
            return None;
        }
        let q = layer.q.slice(ndarray::s![head, i, ..]).mapv(f64::from);
        let k = layer.k.slice(ndarray::s![kv_head, j, ..]).mapv(f64::from);
        let mut s = f64::from(meta.scale.unwrap()) * q.dot(&k);
        if let Some(cap) = meta.soft_cap.map(f64::from) {
            s = cap * (s / cap).tanh();
        }
        if let Some(slopes) = &meta.alibi {
            s -= f64::from(slopes[head]) * distance.unsigned_abs() as f64;
        }
        Some(s)
    };
    (0..n)
        .map(|i| (0..n).map(|j| score(i, j)).collect())
        .collect()
}

/// The log-sum-exp of each row of scores, and a sink's logit.
pub(crate) fn lse(scores: &[Vec<Option<f64>>], sink: Option<f32>) -> Vec<f64> {
    let row = |row: &Vec<Option<f64>>| {
        let all: Vec<f64> = row
            .iter()
            .flatten()
            .copied()
            .chain(sink.map(f64::from))
            .collect();
        let max = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match max {
            f64::NEG_INFINITY => max,
            max => max + all.iter().map(|s| (s - max).exp()).sum::<f64>().ln(),
        }
    };
    scores.iter().map(row).collect()
}

/// The weights of one head, computed the long way from the layer's queries and keys alone.
pub(crate) fn weights(
    layer: &Layer,
    meta: &Scoring<'static>,
    head: usize,
    cuts: &[Cut],
) -> Array2<f64> {
    let scores = scores(layer, meta, head, cuts);
    let lse = lse(&scores, meta.sinks.as_ref().map(|s| s[head]));
    let n = scores.len();
    Array2::from_shape_fn((n, n), |(i, j)| {
        scores[i][j].map_or(0.0, |s| (s - lse[i]).exp())
    })
}

/// A layer of made-up queries, keys and values, with the LSE that belongs to them.
pub(crate) fn layer(
    numbers: &mut Numbers,
    sizes: Sizes,
    meta: &Scoring<'static>,
    cuts: &[Cut],
) -> Layer {
    let Sizes {
        n,
        heads,
        kv_heads,
        d_k,
        d_v,
    } = sizes;
    let mut layer = Layer {
        q: numbers.array((heads, n, d_k)),
        k: numbers.array((kv_heads, n, d_k)),
        lse: Array2::zeros((heads, n)),
        vnorm: numbers.array((heads, n)).mapv(f32::abs),
        v: Some(numbers.array::<ndarray::Ix3>((kv_heads, n, d_v))),
    };
    set_lse(&mut layer, meta, cuts);
    layer
}

/// Gives a layer the LSE that belongs to its queries and keys.
pub(crate) fn set_lse(layer: &mut Layer, meta: &Scoring<'static>, cuts: &[Cut]) {
    for head in 0..layer.q.dim().0 {
        let sink = meta.sinks.as_ref().map(|s| s[head]);
        let row = lse(&scores(layer, meta, head, cuts), sink);
        for (i, lse) in row.into_iter().enumerate() {
            layer.lse[[head, i]] = lse as f32;
        }
    }
}

/// A text of six tokens, the first of which stands before it: `I don't.` and some white space.
pub(crate) fn meta(layers: Vec<Scoring<'static>>) -> Meta {
    Meta {
        model: "made up".into(),
        model_sha256: Some("0123456789abcdef".repeat(4)),
        library: "lookback 0.0.0".into(),
        text: "I don't.\n".into(),
        tokens: vec![0, 57, 1326, 982, 30, 198],
        spans: vec![(0, 0), (0, 1), (1, 5), (5, 7), (7, 8), (8, 9)],
        prefix_tokens: 1,
        layers,
        ..Meta::default()
    }
}

pub(crate) fn causal() -> Scoring<'static> {
    Scoring::new(0.5, Mask::Causal { offset: 0 })
}

/// The layers of a trace of [`meta`]'s text, as they were before the trace took them over.
pub(crate) fn layers(described: &[Scoring<'static>], cuts: &[Cut]) -> Vec<Layer> {
    let mut numbers = Numbers::new(7);
    let make = |(at, meta): (usize, &Scoring<'static>)| {
        let cuts: Vec<Cut> = cuts.iter().copied().filter(|c| c.layer == at).collect();
        layer(&mut numbers, SMALL, meta, &cuts)
    };
    described.iter().enumerate().map(make).collect()
}

/// A sound trace of two causal layers.
pub(crate) fn sound() -> Trace {
    let described = vec![causal(), causal()];
    let layers = layers(&described, &[]);
    Trace::new(meta(described), layers).unwrap()
}

/// The bytes of a sound trace's file.
pub(crate) fn sound_file(options: &SaveOptions) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sound");
    sound().save(&path, options).unwrap();
    std::fs::read(path).unwrap()
}

/// A file's header as JSON, and the bytes after it.
pub(crate) fn take_apart(file: &[u8]) -> (serde_json::Value, Vec<u8>) {
    let len = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header = serde_json::from_slice(&file[8..8 + len]).unwrap();
    (header, file[8 + len..].to_vec())
}

/// A file of a header and bytes, the header padded so that the bytes begin at a multiple of `align`.
pub(crate) fn put_together(header: &serde_json::Value, data: &[u8], align: usize) -> Vec<u8> {
    let mut json = serde_json::to_vec(header).unwrap();
    json.resize(json.len().next_multiple_of(align), b' ');
    let mut file = (json.len() as u64).to_le_bytes().to_vec();
    file.extend(json);
    file.extend(data);
    file
}

/// Opens bytes as a trace file.
pub(crate) fn open_bytes(bytes: &[u8]) -> Result<Trace, lookback_trace::Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.safetensors");
    std::fs::write(&path, bytes).unwrap();
    // On Unix, a mapped file outlives its name.
    Trace::open(&path)
}

/// Names of what lies in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
