//! Every statistic of a trace over every mask that the format has: nowhere is a text taken to be read from left to right.

use std::ops::Range;

use lookback_trace::observe::{Pool, PooledTile};
use lookback_trace::{Cut, Dtype, KeyRanges, Mask, Meta, SaveOptions, Scoring, Trace, WordWeights};
use ndarray::{Array1, Array2, s};

use crate::common::{self, Numbers, Sizes};

const N: usize = 120;
const PREFIX: usize = 2;

/// All that the format can hold; some see keys behind the query, some see none.
fn masks() -> Vec<Mask> {
    let window = |window, offset| Mask::Window { window, offset };
    vec![
        Mask::None,
        Mask::Causal { offset: 0 },
        Mask::Causal { offset: 30 },
        Mask::Causal { offset: -7 },
        Mask::Causal { offset: N as isize },
        window(1, 0),
        window(20, 0),
        window(20, 15),
        window(9, -40),
        window(usize::MAX, 3),
        Mask::SymmetricWindow {
            radius: 12,
            offset: 0,
        },
        Mask::SymmetricWindow {
            radius: 5,
            offset: -40,
        },
        // A causal mask in chunks, a prefix that sees itself whole, padding on both sides, packed documents.
        ranges(|i| i / 25 * 25..i + 1),
        ranges(|i| 0..(i + 1).max(30)),
        ranges(|i| match i {
            0..9 => 0..0,
            9..100 => 9..i + 1,
            _ => 100..100,
        }),
        ranges(|i| i / 50 * 50..(i / 50 * 50 + 50).min(N)),
    ]
}

fn ranges(of: impl Fn(usize) -> Range<usize>) -> Mask {
    let ranges = KeyRanges::new((0..N).map(of)).unwrap();
    Mask::Ranges { ranges, offset: 0 }
}

/// A trace under a mask with some edges cut, words of three tokens with a space each, and its weights the long way.
fn case(mask: &Mask) -> (Trace, Array2<f64>) {
    let described = Scoring::new(0.8, mask.clone()).with_alibi(vec![0.02, 0.0, 0.01, 0.005]);
    let cut = |i, j| Cut {
        layer: 0,
        head: 1,
        i,
        j,
    };
    let cuts = vec![cut(60, 59), cut(60, 61), cut(3, 110)];
    let sizes = Sizes {
        n: N,
        ..common::SMALL
    };
    let layer = common::layer(&mut Numbers::new(21), sizes, &described, &cuts);
    let expected = common::weights(&layer, &described, 1, &cuts);
    let words = (N - PREFIX).div_ceil(3);
    let mut meta = Meta {
        text: "abc ".repeat(words),
        tokens: vec![1; N],
        spans: (0..N)
            .map(|i| match i.checked_sub(PREFIX) {
                None => (0, 0),
                Some(at) => (at / 3 * 4 + at % 3, at / 3 * 4 + at % 3 + 1),
            })
            .collect(),
        prefix_tokens: PREFIX,
        ..common::meta(vec![described])
    };
    meta.interventions.cut = cuts;
    (Trace::new(meta, vec![layer]).unwrap(), expected)
}

fn near(found: f32, expected: f64, what: &str) {
    assert!(
        (f64::from(found) - expected).abs() < 2e-5,
        "{what}: {found}, not {expected}"
    );
}

#[test]
fn weights_lists_entropies_spans_and_column_sums() {
    for mask in masks() {
        let (trace, all) = case(&mask);
        let head = trace.head(0, 1).unwrap();
        let entropies = head.entropy_rows().unwrap();
        let lists = head.top_k_rows(5).unwrap();
        let rows = head.weights(0..N, 0..N).unwrap();
        for i in 0..N {
            let row = all.row(i);
            let what = format!("{mask:?}, row {i}");
            let sees_any = row.sum() > 0.0;
            for j in 0..N {
                near(rows[[i, j]], row[j], &what);
            }
            let entropy: f64 = row.iter().filter(|&&w| w > 0.0).map(|w| -w * w.ln()).sum();
            match sees_any {
                true => near(entropies[i], entropy, &what),
                false => assert!(entropies[i].is_nan(), "{what}"),
            }
            let mut heaviest: Vec<f64> = row.iter().copied().filter(|&w| w > 0.0).collect();
            heaviest.sort_by(|a, b| b.total_cmp(a));
            heaviest.truncate(5);
            assert_eq!(lists[i].len(), heaviest.len(), "{what}");
            for (&(key, weight), expected) in lists[i].iter().zip(heaviest) {
                near(weight, expected, &what);
                near(weight, row[key], &what);
            }
            let spans: [Range<usize>; 3] = [0..PREFIX, i..i + 1, 40..N];
            let mass = head.span_mass(i, &spans).unwrap();
            for (found, span) in mass.into_iter().zip(spans) {
                near(found, row.slice(s![span]).sum(), &what);
            }
        }
        let received = head.received().unwrap();
        for (j, &found) in received.iter().enumerate() {
            near(found, all.column(j).sum(), &format!("{mask:?}, key {j}"));
        }
    }
}

#[test]
fn words_look_at_words_on_either_side() {
    for mask in masks() {
        let (trace, all) = case(&mask);
        let (words, queries) = (trace.words(), [0, 19, trace.words().len() - 1]);
        let of_heads = trace.word_weights_of_heads(0, &queries).unwrap();
        for (at, &query) in queries.iter().enumerate() {
            let tokens = words.get(query).unwrap().tokens.clone();
            let rows = all.slice(s![tokens.clone(), ..]);
            let mean: Array1<f64> = rows.sum_axis(ndarray::Axis(0)) / tokens.len() as f64;
            let found = trace.word_weights(0, 1, query).unwrap();
            let expected = WordWeights::from_keys(mean.mapv(|w| w as f32).view(), words, PREFIX);
            for found in [&found, &of_heads[1][at]] {
                near(found.prefix, expected.prefix.into(), &format!("{mask:?}"));
                near(found.other, expected.other.into(), &format!("{mask:?}"));
                let pairs = found.words.iter().zip(&expected.words);
                pairs.for_each(|(&found, &expected)| {
                    near(found, expected.into(), &format!("{mask:?}"))
                });
            }
        }
    }
}

#[test]
fn pictures_have_both_triangles() {
    for mask in masks() {
        let (trace, all) = case(&mask);
        let tile = |pool| PooledTile {
            rows: 0..N,
            cols: 0..N,
            height: N / 4,
            width: N / 4,
            pool,
        };
        let head = trace.head(0, 1).unwrap();
        let [most, mean] = [Pool::Max, Pool::Mean].map(|pool| head.pooled(&tile(pool)).unwrap());
        for ((y, x), &found) in most.indexed_iter() {
            let cell = all.slice(s![4 * y..4 * y + 4, 4 * x..4 * x + 4]);
            let what = format!("{mask:?}, cell {y} {x}");
            near(found, cell.iter().copied().fold(0.0, f64::max), &what);
            near(mean[[y, x]], cell.sum() / 16.0, &what);
        }
    }
}

#[test]
fn files_of_either_precision_answer_alike() {
    for mask in masks() {
        let (trace, all) = case(&mask);
        let folder = tempfile::tempdir().unwrap();
        for (qk_dtype, allowed) in [(Dtype::F32, 2e-5), (Dtype::F16, 5e-3), (Dtype::Bf16, 5e-2)] {
            let path = folder.path().join("t");
            let options = SaveOptions {
                qk_dtype,
                values: false,
            };
            let stated = trace
                .save(&path, &options)
                .unwrap()
                .qk_rounding_max_weight_change;
            let opened = Trace::open(&path).unwrap();
            let found = opened.weights(0, 1, 0..N, 0..N).unwrap();
            let off = found
                .iter()
                .zip(&all)
                .map(|(&a, b)| (f64::from(a) - b).abs());
            let off = off.fold(0.0, f64::max);
            assert!(off < allowed, "{mask:?}: {off}");
            if let Some(stated) = stated {
                assert!(
                    off < f64::from(stated) + 2e-5,
                    "{mask:?}: {off}, stated {stated}"
                );
            }
        }
    }
}
