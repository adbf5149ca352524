//! Small traces of every kind that the format holds beside the plain one: for tests of whatever reads traces.

use std::ops::Range;

use lookback_attention::{KeyRanges, Mask, Scoring};
use lookback_trace::{HeadId, KeyTokens, Layer, Meta, OtherLayer, Trace};
use ndarray::{Array3, Array4};

use crate::example::{Example, SENTENCE};
use crate::random::SplitMix;

/// Layers, heads and head dimension of each.
const LAYERS: usize = 2;
const HEADS: usize = 2;
const D_K: usize = 4;

/// A trace, and what is special about it.
#[derive(Debug)]
pub struct TraceKind {
    /// What is special about it.
    pub name: &'static str,
    /// The trace.
    pub trace: Trace,
    /// A head that it holds.
    pub head: HeadId,
}

/// One trace of each kind. All but the last, which is of cross-attention, are of the notes' sentence behind one prefix token.
///
/// ```
/// for kind in lookback_heads::trace_kinds::all() {
///     let row = kind.trace.row(kind.head.layer, kind.head.head, 2)?;
///     assert_eq!(row.len(), kind.trace.m(), "{}", kind.name);
/// }
/// # Ok::<(), lookback_trace::Error>(())
/// ```
///
/// # Panics
/// Never: the traces are consistent.
#[must_use]
pub fn all() -> Vec<TraceKind> {
    let n = tokens().len();
    let chunk = |i: usize, width: usize| i / width * width;
    let text = |text: &str| Some(text.to_owned());
    let symmetric = Mask::SymmetricWindow {
        radius: 3,
        offset: 0,
    };
    let mut kinds = vec![
        of("symmetric window", symmetric, |_| ()),
        of("chunked window", ranges(|i| chunk(i, 6)..i + 1), |_| ()),
        of("prefix-LM", ranges(|i| 0..(i + 1).max(7)), |_| ()),
        of(
            "packed documents",
            ranges(|i| chunk(i, 9)..(chunk(i, 9) + 9).min(n)),
            |_| (),
        ),
        of("no norms of values", Mask::default(), |_| ()),
        of("some layers", Mask::default(), |meta| {
            meta.layer_ids = vec![3, 7];
            let kind = "linear_attention".into();
            meta.other_layers = vec![OtherLayer { layer: 5, kind }];
        }),
        of("some heads", Mask::default(), |meta| {
            meta.head_ids = vec![vec![1, 4], vec![0, 6]];
        }),
        of("suffix tokens", Mask::None, |meta| {
            meta.tokens.push(102);
            meta.spans.push((SENTENCE.len(), SENTENCE.len()));
            meta.suffix_tokens = 1;
            meta.token_texts = vec![None; n];
            meta.token_texts[0] = text("[CLS]");
            meta.token_texts.push(text("[SEP]"));
        }),
        // The last three tokens are padding, which sees and is seen by nothing.
        of(
            "padding",
            ranges(|i| if i < n - 3 { 0..i + 1 } else { n - 3..n - 3 }),
            |meta| {
                let end = meta.spans[n - 4].1;
                meta.spans[n - 3..].fill((end, end));
                meta.text.truncate(end);
                meta.suffix_tokens = 3;
            },
        ),
        biased(),
    ];
    kinds.push(cross_attention());
    kinds
}

/// The spans of the sentence's tokens, the prefix's first.
fn tokens() -> Vec<(usize, usize)> {
    Example::default().trace().meta().spans.clone()
}

/// A trace of the sentence whose layers all have this mask, once something is changed.
fn of(name: &'static str, mask: Mask, change: impl FnOnce(&mut Meta)) -> TraceKind {
    let spans = tokens();
    let mut meta = Meta {
        model: "example".to_owned(),
        text: SENTENCE.to_owned(),
        tokens: (0..spans.len() as u32).collect(),
        spans,
        prefix_tokens: 1,
        layers: vec![Scoring::new(0.5, mask); LAYERS],
        ..Meta::default()
    };
    change(&mut meta);
    let qk = (0..LAYERS).map(|layer| {
        let numbers = |seed, tokens| numbers((HEADS, tokens, D_K), (2 * layer + seed) as u64);
        let keys = meta
            .keys
            .as_ref()
            .map_or(meta.tokens.len(), |keys| keys.tokens.len());
        (numbers(1, meta.tokens.len()), numbers(2, keys))
    });
    let qk = qk.collect();
    let trace = Trace::from_qk(meta, qk).expect("the trace is consistent");
    named(name, trace)
}

fn named(name: &'static str, trace: Trace) -> TraceKind {
    let head = trace.heads().last().expect("a trace has a head");
    TraceKind { name, trace, head }
}

/// A bias by distance that the heads share, in the last of some layers.
fn biased() -> TraceKind {
    let TraceKind { trace, .. } = of("", Mask::default(), |meta| meta.layer_ids = vec![1, 2]);
    let n = trace.n();
    let bias = Array4::from_shape_fn((1, 1, n, n), |(_, _, i, j)| -0.3 * i.abs_diff(j) as f32);
    let scoring = Scoring::new(0.5, Mask::default());
    let layer = |seed, scoring: &Scoring| {
        let [q, k] = [seed, seed + 1].map(|seed| numbers((HEADS, n, D_K), seed));
        Layer::from_qk(q, k, scoring).expect("the layer is consistent")
    };
    let layers = vec![
        layer(1, &scoring),
        layer(3, &scoring.clone().with_bias(bias.view())),
    ];
    let trace = Trace::new(trace.meta().clone(), layers).expect("the trace is consistent");
    named("bias", trace)
}

/// Queries of the sentence on seven keys of another.
fn cross_attention() -> TraceKind {
    of("cross-attention", Mask::None, |meta| {
        meta.keys = Some(KeyTokens {
            text: "He is good.".to_owned(),
            tokens: (20..27).collect(),
            spans: vec![
                (0, 2),
                (2, 5),
                (5, 10),
                (10, 11),
                (11, 11),
                (11, 11),
                (11, 11),
            ],
            token_texts: vec![None, None, None, None, Some("</s>".to_owned())],
        });
    })
}

fn ranges(of: impl Fn(usize) -> Range<usize>) -> Mask {
    let ranges = KeyRanges::new((0..tokens().len()).map(of)).expect("neither end moves back");
    Mask::Ranges { ranges, offset: 0 }
}

/// Numbers from −3 to 3 that follow from a seed.
fn numbers(shape: (usize, usize, usize), seed: u64) -> Array3<f32> {
    let mut random = SplitMix::new(seed);
    Array3::from_shape_simple_fn(shape, || {
        6.0 * (random.next_u64() >> 40) as f32 / (1_u64 << 24) as f32 - 3.0
    })
}
