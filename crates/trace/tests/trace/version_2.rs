//! Version 2 of the format: what it holds comes back, and version 1 is written wherever it suffices.

use std::ops::Range;

use lookback_trace::observe::Entropy;
use lookback_trace::{
    Cut, Dtype, Error, HeadId, KeyRanges, KeyTokens, Layer, Mask, Meta, OtherLayer, SaveOptions,
    Scoring, Trace, Version,
};
use ndarray::{Array2, Array3, ArrayView2, Axis, stack};
use proptest::prelude::*;

use crate::common::{
    self, Numbers, causal, cross_attention, file_of, layers, meta, of_version_2, open_bytes, sound,
    take_apart,
};

fn options(qk_dtype: Dtype) -> SaveOptions {
    SaveOptions {
        qk_dtype,
        values: false,
    }
}

/// All weights of all heads, in order.
fn all_weights(trace: &Trace) -> Vec<Array2<f32>> {
    let (n, m) = (trace.n(), trace.m());
    let of = |id: HeadId| trace.weights(id.layer, id.head, 0..n, 0..m).unwrap();
    trace.heads().map(of).collect()
}

/// A layer of a trace as it was handed over, but for its log-sum-exps; each head with keys of its own.
fn layer_of(trace: &Trace, layer: usize) -> Layer {
    let ids = trace.head_ids(layer);
    let heads: Vec<_> = ids.iter().map(|&h| trace.head(layer, h).unwrap()).collect();
    let stacked = |of: &dyn Fn(usize) -> Array2<f32>| {
        let each: Vec<Array2<f32>> = (0..heads.len()).map(of).collect();
        let views: Vec<ArrayView2<f32>> = each.iter().map(|x| x.view()).collect();
        stack(Axis(0), &views).unwrap()
    };
    let bias = trace.scoring(layer).unwrap().bias;
    Layer {
        q: stacked(&|at| heads[at].q().to_owned()),
        k: stacked(&|at| heads[at].k().to_owned()),
        bias: bias.map(|bias| bias.index_axis_move(Axis(0), 0).to_owned()),
        ..Layer::default()
    }
}

/// Compares all weights with those computed the long way.
fn check_weights(trace: &Trace) {
    for (at, &layer) in trace.layer_ids().iter().enumerate() {
        let numbers = layer_of(trace, layer);
        let ids = trace.head_ids(layer);
        let cuts = trace.meta().interventions.cut.iter();
        let cuts: Vec<Cut> = cuts
            .filter(|cut| cut.layer == layer)
            .map(|cut| Cut {
                head: ids.binary_search(&cut.head).unwrap(),
                ..*cut
            })
            .collect();
        for (place, &head) in ids.iter().enumerate() {
            let expected = common::weights(&numbers, &trace.meta().layers[at], place, &cuts);
            let found = trace
                .weights(layer, head, 0..trace.n(), 0..trace.m())
                .unwrap();
            for ((i, j), &expected) in expected.indexed_iter() {
                let found = f64::from(found[[i, j]]);
                assert!(
                    (found - expected).abs() < 2e-5,
                    "{layer}.{head}, {i} on {j}: {found}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn all_of_it_comes_back_and_weights_are_what_the_format_says() {
    for trace in [of_version_2(), cross_attention()] {
        assert_eq!(trace.version(), Version::Two);
        check_weights(&trace);
        let opened = open_bytes(&file_of(&trace, &options(Dtype::F32))).unwrap();
        assert_eq!(opened.meta(), trace.meta());
        assert_eq!(opened.version(), Version::Two);
        assert_eq!(all_weights(&opened), all_weights(&trace));
        let again = file_of(&opened, &options(Dtype::F32));
        assert_eq!(again, file_of(&trace, &options(Dtype::F32)));
    }
}

#[test]
fn layers_and_heads_go_by_their_numbers_in_the_model() {
    let trace = of_version_2();
    assert_eq!(
        (trace.layer_ids(), trace.head_ids(7)),
        (&[3, 7][..], &[1, 5][..])
    );
    assert_eq!((trace.layer_count(), trace.head_count(3)), (2, 2));
    assert!(trace.head_ids(0).is_empty() && !trace.counts_from_0());
    let heads: Vec<(usize, usize)> = trace.heads().map(|id| (id.layer, id.head)).collect();
    assert_eq!(heads, [(3, 0), (3, 4), (7, 1), (7, 5)]);
    // What an observer finds is in the order of the heads.
    let entropies = trace.observe(7, &Entropy).unwrap();
    let alone = trace.head(7, 5).unwrap().entropy_rows().unwrap();
    for (found, expected) in entropies.index_axis(Axis(0), 0).row(1).iter().zip(&alone) {
        assert!((found - expected).abs() < 1e-6);
    }
    let refused = |layer, head| trace.row(layer, head, 0).unwrap_err().to_string();
    assert_eq!(
        refused(0, 0),
        "there is no layer 0: this trace has layers 3, 7"
    );
    assert_eq!(
        refused(3, 1),
        "there is no head 3.1: layer 3 has heads 0, 4"
    );
    let other = refused(5, 0);
    assert!(other.contains("layer 5 is linear_attention"), "{other}");
    // A damaged row is named by those numbers too.
    let mut layers = vec![layer_of(&trace, 3), layer_of(&trace, 7)];
    for (layer, described) in layers.iter_mut().zip(&trace.meta().layers) {
        layer.lse = Array2::zeros((2, 6));
        common::set_lse(layer, described, &[]);
    }
    layers[1].lse[[1, 2]] -= 5.0;
    let damaged = Trace::new(trace.meta().clone(), layers).unwrap();
    assert!(matches!(
        damaged.observe(7, &Entropy),
        Err(Error::NotAWeight {
            layer: 7,
            head: 5,
            i: 2,
            ..
        })
    ));
}

#[test]
fn what_needs_self_attention_or_norms_of_values_says_so() {
    let trace = cross_attention();
    assert_eq!((trace.n(), trace.m()), (4, 6));
    let refused = trace.word_weights(0, 0, 0).unwrap_err();
    assert!(matches!(refused, Error::CrossAttention { n: 4, m: 6, .. }));
    assert!(
        refused
            .to_string()
            .starts_with("What a word looks at needs")
    );
    assert!(matches!(trace.vnorm(0, 0), Err(Error::NoVnorm)));
    assert!(trace.head(0, 0).unwrap().vnorm().is_none() && !trace.has_vnorm());
    let keys = trace.meta().keys.as_ref().unwrap();
    let texts: Vec<_> = (2..6).map(|key| keys.token_text(key)).collect();
    assert_eq!(texts, [Some("es"), Some("."), Some("</s>"), None]);
    assert_eq!(trace.meta().token_text(2), Some(" part"));
    let wide = trace.mean_rows(0, std::slice::from_ref(&(1..3))).unwrap();
    assert_eq!(wide.dim(), (4, 1, 6));
}

#[test]
fn version_1_is_written_wherever_it_suffices() {
    let format = |trace: &Trace, options: &SaveOptions| {
        let (header, _) = take_apart(&file_of(trace, options));
        header["__metadata__"]["format"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let with = |change: fn(&mut Meta)| {
        let mut meta = meta(vec![causal(), causal()]);
        change(&mut meta);
        Trace::new(meta, layers(&[causal(), causal()], &[])).unwrap()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(format(&sound(), &options(Dtype::F32)), Version::One.name());
    assert_eq!(format(&sound(), &options(Dtype::F16)), Version::One.name());
    assert_eq!(format(&sound(), &options(Dtype::Bf16)), Version::Two.name());
    let suffices: [fn(&mut Meta); 4] = [
        |meta| meta.layer_ids = vec![0, 1],
        |meta| meta.head_ids = vec![vec![0, 1, 2, 3]; 2],
        |meta| meta.token_texts = vec![Some("<s>".into()), None],
        |meta| meta.token_texts = vec![None],
    ];
    for change in suffices {
        let trace = with(change);
        assert_eq!(trace.version(), Version::One);
        let opened = open_bytes(&file_of(&trace, &options(Dtype::F32))).unwrap();
        assert_eq!(
            (opened.version(), all_weights(&opened)),
            (Version::One, all_weights(&trace))
        );
    }
    let needs: [fn(&mut Meta); 6] = [
        |meta| meta.layer_ids = vec![0, 2],
        |meta| meta.head_ids = vec![vec![0, 1, 2, 3], vec![0, 1, 2, 4]],
        |meta| drop(meta.extra.insert("x_a".into(), String::new())),
        |meta| {
            let kind = "mamba".into();
            meta.other_layers = vec![OtherLayer { layer: 2, kind }];
        },
        |meta| {
            (meta.prefix_tokens, meta.spans[1]) = (2, (0, 0));
            meta.token_texts = vec![None, Some("<s>".into())];
        },
        |meta| {
            (meta.suffix_tokens, meta.spans[5]) = (1, (8, 8));
        },
    ];
    for change in needs {
        let trace = with(change);
        assert_eq!(format(&trace, &options(Dtype::F32)), Version::Two.name());
        let opened = open_bytes(&file_of(&trace, &options(Dtype::F32))).unwrap();
        assert_eq!(opened.meta(), trace.meta());
    }
    let own = Meta {
        extra: [("mine".to_owned(), String::new())].into(),
        ..meta(vec![causal()])
    };
    let refused = Trace::new(own, layers(&[causal()], &[])).unwrap_err();
    assert!(refused.to_string().contains("\"mine\""), "{refused}");
    // A prefix of which one text is known is said in version 2, and read back.
    let texts = Meta {
        prefix_tokens: 1,
        token_texts: vec![text("<s>")],
        ..meta(vec![causal()])
    };
    let trace = Trace::new(texts, layers(&[causal()], &[])).unwrap();
    assert_eq!(trace.meta().prefix_texts(), ["<s>"]);
}

#[test]
fn queries_and_keys_alone_make_a_trace() {
    let described = vec![causal().with_sinks(vec![0.5; 4]), causal()];
    let cuts = [(0, 2, 4, 1), (0, 2, 4, 3), (1, 0, 5, 5)];
    let cuts = cuts.map(|(layer, head, i, j)| Cut { layer, head, i, j });
    let whole = layers(&described, &cuts);
    let mut meta = meta(described);
    meta.interventions.cut = cuts.to_vec();
    let qk = whole.iter().map(|l| (l.q.clone(), l.k.clone())).collect();
    let trace = Trace::from_qk(meta.clone(), qk).unwrap();
    let expected = Trace::new(meta.clone(), whole).unwrap();
    for (found, expected) in all_weights(&trace).iter().zip(all_weights(&expected)) {
        assert!(
            found
                .iter()
                .zip(&expected)
                .all(|(a, b)| (a - b).abs() < 1e-6)
        );
    }
    let few = Trace::from_qk(meta.clone(), vec![]).unwrap_err();
    assert!(few.to_string().contains("describes 2 layers"), "{few}");
    let empty = Array3::zeros((0, 6, 3));
    let none = Trace::from_qk(meta, vec![(empty.clone(), empty); 2]).unwrap_err();
    assert!(matches!(none, Error::Attention(_)), "{none}");
}

/// What a trace may be of, drawn at random.
#[derive(Debug, Clone)]
struct Drawn {
    n: usize,
    /// How many keys there are, where they are others.
    m: Option<usize>,
    heads: usize,
    shared: bool,
    masks: Vec<(usize, usize)>,
    bias: [bool; 3],
    has: [bool; 8],
    seed: u64,
}

prop_compose! {
    fn drawn()(
        n in 1_usize..20,
        m in prop::option::weighted(0.3, 1_usize..20),
        heads in 1_usize..4,
        shared: bool,
        masks in prop::collection::vec((0_usize..7, 1_usize..8), 1..4),
        bias: [bool; 3],
        has: [bool; 8],
        seed: u64,
    ) -> Drawn {
        Drawn { n, m, heads, shared, masks, bias, has, seed }
    }
}

impl Drawn {
    fn mask(&self, (kind, width): (usize, usize)) -> Mask {
        let (n, m) = (self.n, self.m.unwrap_or(self.n));
        let offset = (width as isize - 3).clamp(-(n as isize), n as isize);
        let ranges = |of: &dyn Fn(usize) -> Range<usize>| {
            let within = (0..n).map(|i| of(i).start.min(m)..of(i).end.min(m));
            let ranges = KeyRanges::new(within).unwrap();
            Mask::Ranges { ranges, offset: 0 }
        };
        match kind {
            0 => Mask::None,
            1 => Mask::Causal { offset },
            2 => Mask::Window {
                window: width,
                offset,
            },
            3 => Mask::SymmetricWindow {
                radius: width,
                offset,
            },
            4 => ranges(&|i| i / width * width..i + 1),
            5 => ranges(&|i| 0..width.max(i + 1)),
            _ => ranges(&|i| i / width * width..i / width * width + width),
        }
    }

    fn trace(&self) -> Trace {
        let [vnorm, values, bias, ids, head_ids, texts, notes, sinks] = self.has;
        let (n, m, heads) = (self.n, self.m.unwrap_or(self.n), self.heads);
        let mut numbers = Numbers::new(self.seed);
        let kv_heads = if self.shared { 1 } else { heads };
        let count = self.masks.len();
        let mut described = Vec::new();
        let mut layers = Vec::new();
        for (at, &mask) in self.masks.iter().enumerate() {
            let mut scoring = Scoring::new(0.4, self.mask(mask));
            if sinks {
                scoring = scoring.with_sinks(vec![0.3; heads]).with_soft_cap(5.0);
                scoring = scoring.with_alibi(vec![0.1; heads]);
            }
            let full = [heads, n, m];
            let shape: [usize; 3] =
                std::array::from_fn(|axis| if self.bias[axis] { full[axis] } else { 1 });
            let of_layer: Option<Array3<f32>> = (bias && at == 0).then(|| numbers.array(shape));
            let mut with_bias: Scoring<'_> = Scoring::new(0.4, scoring.mask.clone());
            (with_bias.soft_cap, with_bias.alibi, with_bias.sinks) = (
                scoring.soft_cap,
                scoring.alibi.as_deref().map(Into::into),
                scoring.sinks.as_deref().map(Into::into),
            );
            with_bias.bias = of_layer
                .as_ref()
                .map(|bias| bias.view().insert_axis(Axis(0)));
            let (q, k) = (
                numbers.array((heads, n, 4)),
                numbers.array((kv_heads, m, 4)),
            );
            layers.push(Layer {
                vnorm: vnorm.then(|| numbers.array((heads, m)).mapv(f32::abs)),
                v: values.then(|| numbers.array((kv_heads, m, 3))),
                ..Layer::from_qk(q, k, &with_bias).unwrap()
            });
            described.push(scoring);
        }
        let mut meta = Meta {
            tokens: vec![1; n],
            spans: vec![(0, 0); n],
            keys: self.m.map(|m| KeyTokens {
                text: "é".into(),
                tokens: vec![7; m],
                spans: [(0, 2)].into_iter().cycle().take(m).collect(),
                token_texts: Vec::new(),
            }),
            layers: described,
            ..Meta::default()
        };
        if ids {
            meta.layer_ids = (0..count).map(|at| 3 * at + 1).collect();
            meta.other_layers = vec![OtherLayer {
                layer: 0,
                kind: "conv".into(),
            }];
        }
        if head_ids {
            meta.head_ids = vec![(0..heads).map(|head| 2 * head).collect(); count];
        }
        if texts {
            meta.prefix_tokens = n.min(1);
            meta.suffix_tokens = n.saturating_sub(1).min(2);
            meta.token_texts = vec![None; n];
            meta.token_texts[n - 1] = Some("[SEP]".into());
        }
        if notes {
            meta.extra = [("x_\u{1F642}".to_owned(), "\"\n".to_owned())].into();
        }
        Trace::new(meta, layers).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is chosen comes back, every bit in f32, and as near as is said in 16 bits.
    #[test]
    fn any_choice_comes_back(drawn in drawn(), half in prop::sample::select(vec![Dtype::F16, Dtype::Bf16])) {
        let trace = drawn.trace();
        check_weights(&trace);
        let full = SaveOptions { values: drawn.has[1], ..options(Dtype::F32) };
        let opened = open_bytes(&file_of(&trace, &full)).unwrap();
        prop_assert_eq!(opened.version(), trace.version());
        prop_assert_eq!(opened.layer_ids(), trace.layer_ids());
        prop_assert_eq!(all_weights(&opened), all_weights(&trace));
        for id in trace.heads() {
            let [a, b] = [&opened, &trace].map(|trace| trace.head(id.layer, id.head).unwrap());
            prop_assert_eq!((a.q(), a.k(), a.v()), (b.q(), b.k(), b.v()));
            prop_assert_eq!((a.lse(), a.vnorm()), (b.lse(), b.vnorm()));
        }
        if trace.version() == Version::Two {
            prop_assert_eq!(opened.meta(), trace.meta());
        }
        prop_assert_eq!(file_of(&opened, &full), file_of(&trace, &full));
        let rounded = open_bytes(&file_of(&trace, &options(half))).unwrap();
        let stated = rounded.meta().qk_rounding_max_weight_change.unwrap();
        for (found, expected) in all_weights(&rounded).iter().zip(all_weights(&trace)) {
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found - expected).abs() <= stated + 1e-4, "{} {} {}", found, expected, stated);
            }
        }
        // What is in 16 bits stays as it is.
        prop_assert_eq!(file_of(&rounded, &options(half)), file_of(&trace, &options(half)));
    }
}

/// The example of `docs/trace-format.md` in Python wrote it.
#[test]
fn a_file_that_another_program_wrote_is_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let trace = Trace::open(folder.join("encoder.safetensors")).unwrap();
    assert_eq!((trace.layer_ids(), trace.n()), (&[3, 7][..], 5));
    assert_eq!(trace.meta().extra["x_note"], "two layers of twelve");
    let texts: Vec<_> = (0..5).map(|token| trace.meta().token_text(token)).collect();
    let expected = ["[CLS]", "Tom", " thanked", " Ann", "[SEP]"];
    assert_eq!(texts, expected.map(Some));
    assert_eq!(trace.words().len(), 3);
    check_weights(&trace);
    for head in trace.heads() {
        let row = trace.row(head.layer, head.head, 0).unwrap();
        assert_eq!((row[3], row[4]), (0.0, 0.0));
    }
}
