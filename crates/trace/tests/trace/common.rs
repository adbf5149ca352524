//! Small traces for the tests, and their weights computed the long way.

use std::path::Path;

use lookback_trace::{
    Cut, HeadId, InterventionRecord, KeyRanges, KeyTokens, Layer, Mask, Meta, OtherLayer,
    SaveOptions, Scoring, Trace,
};
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
    let m = layer.k.dim().1;
    let kv_head = head / (heads / layer.k.dim().0);
    let score = |i: usize, j: usize| {
        let (p, k) = (i as isize, j as isize);
        let (sees, distance) = match &meta.mask {
            Mask::None => (true, p - k),
            Mask::StrictlyBefore { .. } => unreachable!("a trace cannot hold it"),
            &Mask::Causal { offset } => (k <= p + offset, p + offset - k),
            &Mask::SymmetricWindow { radius, offset } => {
                let distance = p + offset - k;
                (distance.unsigned_abs() <= radius, distance)
            }
            Mask::Ranges { ranges, .. } => (ranges.get(i).unwrap().contains(&j), p - k),
            &Mask::Window { window, offset } => (
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
        if let Some(bias) = &layer.bias {
            let (h, n, m) = bias.dim();
            s += f64::from(bias[[head.min(h - 1), i.min(n - 1), j.min(m - 1)]]);
        }
        Some(s)
    };
    (0..n)
        .map(|i| (0..m).map(|j| score(i, j)).collect())
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
    Array2::from_shape_fn((scores.len(), scores[0].len()), |(i, j)| {
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
        vnorm: Some(numbers.array((heads, n)).mapv(f32::abs)),
        v: Some(numbers.array::<ndarray::Ix3>((kv_heads, n, d_v))),
        bias: None,
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

/// A trace that needs version 2 in every way but cross-attention: two layers of a model's, two heads of each, a mask of ranges and
/// a symmetric window, a bias that queries share, tokens after the text, no norms of values, notes.
pub(crate) fn of_version_2() -> Trace {
    let ranges = KeyRanges::new([0..3, 0..3, 0..3, 3..5, 3..5, 3..6]).unwrap();
    let described = vec![
        Scoring::new(0.5, Mask::Ranges { ranges, offset: 0 }).with_soft_cap(20.0),
        Scoring::new(
            0.7,
            Mask::SymmetricWindow {
                radius: 2,
                offset: 0,
            },
        )
        .with_alibi(vec![0.5, 0.25])
        .with_sinks(vec![0.1, -2.0]),
    ];
    let mut numbers = Numbers::new(3);
    let sizes = Sizes {
        heads: 2,
        kv_heads: 1,
        ..SMALL
    };
    let cut = Cut {
        layer: 7,
        head: 5,
        i: 3,
        j: 2,
    };
    let mut layers: Vec<Layer> = described
        .iter()
        .map(|described| layer(&mut numbers, sizes, described, &[]))
        .collect();
    for (at, (layer, described)) in layers.iter_mut().zip(&described).enumerate() {
        layer.vnorm = None;
        layer.v = None;
        layer.bias = (at == 0).then(|| numbers.array((2, 1, 6)));
        // In its layer, the head stands at place 1.
        let cuts: &[Cut] = if at == 1 {
            &[Cut { head: 1, ..cut }]
        } else {
            &[]
        };
        set_lse(layer, described, cuts);
    }
    let text = |text: &str| Some(text.to_owned());
    let meta = Meta {
        text: "I don't".into(),
        spans: vec![(0, 0), (0, 1), (1, 5), (5, 7), (7, 7), (7, 7)],
        prefix_tokens: 1,
        suffix_tokens: 1,
        token_texts: vec![
            text("[CLS]"),
            None,
            None,
            None,
            text("[MASK]"),
            text("[SEP]"),
        ],
        layer_ids: vec![3, 7],
        head_ids: vec![vec![0, 4], vec![1, 5]],
        other_layers: vec![OtherLayer {
            layer: 5,
            kind: "linear_attention".into(),
        }],
        interventions: InterventionRecord {
            cut: vec![cut],
            ablated: vec![HeadId { layer: 4, head: 9 }],
            ..InterventionRecord::default()
        },
        extra: [("x_note".to_owned(), "« mine »".to_owned())].into(),
        ..meta(described)
    };
    Trace::new(meta, layers).unwrap()
}

/// A trace of four queries on six keys that are other tokens.
pub(crate) fn cross_attention() -> Trace {
    let mut numbers = Numbers::new(9);
    let meta = Meta {
        text: "Il part".into(),
        tokens: vec![5, 6, 7, 8],
        spans: vec![(0, 0), (0, 2), (2, 7), (7, 7)],
        prefix_tokens: 1,
        suffix_tokens: 1,
        keys: Some(KeyTokens {
            text: "He leaves.".into(),
            tokens: vec![1, 2, 3, 4, 5, 6],
            spans: vec![(0, 2), (2, 7), (7, 9), (9, 10), (10, 10), (10, 10)],
            token_texts: vec![None, None, None, None, Some("</s>".into())],
        }),
        layers: vec![Scoring::new(0.6, Mask::None)],
        model_sha256: None,
        ..meta(Vec::new())
    };
    let qk = (numbers.array((4, 4, 3)), numbers.array((2, 6, 3)));
    Trace::from_qk(meta, vec![qk]).unwrap()
}

/// The bytes of a trace's file.
pub(crate) fn file_of(trace: &Trace, options: &SaveOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    trace.file(options).unwrap().write_to(&mut bytes).unwrap();
    bytes
}
