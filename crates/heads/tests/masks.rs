//! Every statistic of heads over every mask that a trace can have, against plain f64 sums over whole matrices of weights.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use lookback_attention::reference;
use lookback_heads::example::Example;
use lookback_heads::probes::on_trace;
use lookback_heads::profile::{LOCAL, SINK_THRESHOLD, profiles};
use lookback_heads::rollout::rollout;
use lookback_heads::token_attention::{TokenAttention, TokenAttentionOptions};
use lookback_heads::{Error, Look, LookOptions, default_head};
use lookback_trace::{HeadId, KeyRanges, Layer, Mask, Meta, Scoring, Trace};
use ndarray::{Array2, Array3, s};
use proptest::prelude::*;

/// The example, with values of different lengths.
fn trace(example: &Example) -> Trace {
    let like = example.trace();
    let layer = |layer: usize| {
        let heads = like.head_count(layer);
        let groups = heads / like.kv_head_count(layer);
        let of = |head: usize| like.head(layer, head).unwrap();
        let (n, d) = of(0).q().dim();
        Layer {
            q: Array3::from_shape_fn((heads, n, d), |(h, i, c)| of(h).q()[[i, c]]),
            k: Array3::from_shape_fn((heads / groups, n, d), |(h, i, c)| {
                of(h * groups).k()[[i, c]]
            }),
            lse: Array2::from_shape_fn((heads, n), |(h, i)| of(h).lse()[i]),
            vnorm: Some(Array2::from_shape_fn((heads, n), |(h, i)| {
                0.2 + ((7 * i + 3 * h) % 5) as f32
            })),
            ..Layer::default()
        }
    };
    let layers = (0..like.layer_count()).map(layer).collect();
    Trace::new(like.meta().clone(), layers).unwrap()
}

/// All weights of a head, from Q and K alone: \[N, N\].
fn weights(trace: &Trace, id: HeadId) -> Array2<f64> {
    let head = trace.head(id.layer, id.head).unwrap();
    let meta = &trace.meta().layers[id.layer];
    let (q, k) = (head.q().mapv(f64::from), head.k().mapv(f64::from));
    let scores = reference::scores(q.view(), k.view()).unwrap();
    let scores = reference::scale(scores.view(), meta.scale.unwrap().into()).unwrap();
    let scores = reference::mask(scores.view(), &meta.mask).unwrap();
    reference::softmax(scores.view()).unwrap()
}

fn heads(trace: &Trace) -> Vec<HeadId> {
    let of = |layer| (0..trace.head_count(layer)).map(move |head| HeadId { layer, head });
    (0..trace.layer_count()).flat_map(of).collect()
}

/// The entries of a row that lie so far before its position: distance `d` is key i + offset − d.
fn at(weights: &Array2<f64>, i: usize, offset: isize, distances: Range<isize>) -> f64 {
    let key = |d: isize| usize::try_from(i as isize + offset - d).ok();
    let keys = distances.filter_map(key).filter(|&j| j < weights.ncols());
    keys.map(|j| weights[[i, j]]).sum()
}

#[track_caller]
fn close(found: f64, expected: f64, what: &str) {
    assert!(
        (found - expected).abs() < 2e-4,
        "{what}: {found}, not {expected}"
    );
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Every column of the profiles, by its definition in `docs/heads.md`.
fn check_profiles(trace: &Trace, mask: &Mask) {
    let (n, prefix) = (trace.n(), trace.meta().prefix_tokens);
    let sees = |i: usize| mask.visible(i, n).len();
    let counts = |&i: &usize| sees(i) > 0 && !(prefix == 0 && i == 0 && sees(0) <= 1);
    let rows: Vec<usize> = (prefix..n).filter(counts).collect();
    let found = match profiles(trace, &[]) {
        Err(Error::TooShort { .. }) => {
            assert!(rows.is_empty() || n <= prefix.max(1));
            return;
        }
        found => found.unwrap(),
    };
    for profile in found {
        let w = weights(trace, profile.head);
        let of =
            |each: &dyn Fn(usize) -> f64| mean(&rows.iter().map(|&i| each(i)).collect::<Vec<_>>());
        let offset = mask.offset();
        let sink = |i: usize| w.slice(s![i, ..prefix.max(1)]).sum();
        close(profile.sink_share, of(&sink), "sink");
        let above = |i: usize| f64::from(sink(i) > f64::from(SINK_THRESHOLD));
        let near = rows
            .iter()
            .any(|&i| (sink(i) - f64::from(SINK_THRESHOLD)).abs() < 1e-5);
        if !near {
            close(profile.sink_rate, of(&above), "sink rate");
        }
        let entropy = |i: usize| {
            -w.row(i)
                .iter()
                .filter(|&&w| w > 0.0)
                .map(|w| w * w.ln())
                .sum::<f64>()
        };
        close(profile.entropy, of(&entropy), "entropy");
        let distance = |i: usize| -> f64 {
            let far = |j: usize| (i as isize + offset - j as isize).unsigned_abs() as f64;
            w.row(i).iter().enumerate().map(|(j, w)| w * far(j)).sum()
        };
        close(profile.mean_distance, of(&distance), "distance");
        close(profile.self_share, of(&|i| at(&w, i, offset, 0..1)), "self");
        close(
            profile.previous_share,
            of(&|i| at(&w, i, offset, 1..2)),
            "previous",
        );
        close(
            profile.local_share,
            of(&|i| at(&w, i, offset, 1 - LOCAL..LOCAL)),
            "local",
        );
        close(
            profile.special_share,
            of(&|i| w.slice(s![i, ..prefix]).sum()),
            "special",
        );
        // ‖w·f(x)‖, pair by pair.
        let vnorm = trace.vnorm(profile.head.layer, profile.head.head).unwrap();
        let moved = &w * &vnorm.mapv(f64::from);
        let all: f64 = rows.iter().map(|&i| moved.row(i).sum()).sum();
        let part = |each: &dyn Fn(usize) -> f64| rows.iter().map(|&i| each(i)).sum::<f64>() / all;
        let values = profile.values.unwrap();
        close(
            values.value_sink_share,
            part(&|i| moved.slice(s![i, ..prefix.max(1)]).sum()),
            "value sink",
        );
        close(
            values.value_self_share,
            part(&|i| at(&moved, i, offset, 0..1)),
            "value self",
        );
        close(
            values.value_previous_share,
            part(&|i| at(&moved, i, offset, 1..2)),
            "value previous",
        );
    }
}

fn check_rollout(trace: &Trace) {
    let n = trace.n();
    let mut product = Array2::<f64>::eye(n);
    for layer in 0..trace.layer_count() {
        let count = trace.head_count(layer);
        let mut mixed = Array2::<f64>::eye(n) * 0.5;
        for head in 0..count {
            mixed += &(weights(trace, HeadId { layer, head }) * (0.5 / count as f64));
        }
        product = mixed.dot(&product);
    }
    for i in 0..n {
        for (j, found) in rollout(trace, i..i + 1).unwrap().iter().enumerate() {
            close(*found, product[[i, j]], "rollout");
        }
    }
}

/// The weight of some rows on some keys: summed over keys, averaged over rows.
fn on(w: &Array2<f64>, rows: &Range<usize>, keys: &Range<usize>) -> f64 {
    w.slice(s![rows.clone(), keys.clone()]).sum() / rows.len() as f64
}

fn check_words(trace: &Trace) {
    let (all, prefix) = (heads(trace), trace.meta().prefix_tokens);
    let matrices: Vec<_> = all.iter().map(|&id| weights(trace, id)).collect();
    let over_heads =
        |of: &dyn Fn(&Array2<f64>) -> f64| mean(&matrices.iter().map(of).collect::<Vec<_>>());
    let tokens: Vec<_> = trace.words().iter().map(|w| w.tokens.clone()).collect();
    for (word, rows) in tokens.iter().enumerate() {
        let options = TokenAttentionOptions::default();
        let found = TokenAttention::new(trace, word, &options, &AtomicBool::new(false)).unwrap();
        for (other, keys) in tokens.iter().enumerate() {
            close(
                found.given[other].into(),
                over_heads(&|w| on(w, rows, keys)),
                "given",
            );
            if other != word {
                close(
                    found.received[other].into(),
                    over_heads(&|w| on(w, keys, rows)),
                    "received",
                );
            }
        }
        close(
            found.hidden.into(),
            over_heads(&|w| on(w, rows, &(0..prefix))),
            "hidden",
        );
        let chosen = default_head(trace, &(word..word + 1)).unwrap();
        assert_eq!(found.default_head, Some(chosen.head));
    }
}

fn check_look(trace: &Trace) {
    let look = match Look::new(trace, &LookOptions::default()) {
        Err(Error::NoWords) => return,
        look => look.unwrap(),
    };
    let prefix = trace.meta().prefix_tokens;
    let tokens = |word: usize| trace.words().get(word).unwrap().tokens.clone();
    for index in 0..look.interest().len() {
        let focus = look.focus(index).unwrap();
        let rows = tokens(focus.word);
        let count = trace.words().len();
        for head in &focus.heads {
            let w = weights(trace, head.head);
            close(
                head.sink_share.into(),
                on(&w, &rows, &(0..prefix)),
                "sink share",
            );
            for word in 0..count {
                // A word that is not listed has no weight.
                let found = head.word_weights.get(word).copied().unwrap_or(0.0);
                close(found.into(), on(&w, &rows, &tokens(word)), "word weight");
            }
            let of_text = on(&w, &rows, &(prefix..trace.n()));
            let found: f32 = head.word_weights.iter().sum::<f32>() + head.other_share;
            close(found.into(), of_text, "weight on the text");
        }
        let seen = focus.all_heads.ranked.len();
        let all = |word: usize| {
            let each: Vec<f64> = heads(trace)
                .into_iter()
                .map(|id| on(&weights(trace, id), &rows, &tokens(word)))
                .collect();
            mean(&each)
        };
        for ranked in &focus.all_heads.ranked {
            close(ranked.weight.into(), all(ranked.word), "mean over heads");
        }
        for candidate in &focus.candidates {
            assert!(
                candidate
                    .candidate
                    .words
                    .iter()
                    .all(|&w| w < seen && w != focus.word)
            );
        }
    }
}

fn check_probes(trace: &Trace, period: usize) {
    let n = trace.n();
    for scores in on_trace(trace, period).unwrap() {
        let w = weights(trace, scores.head);
        let diagonal = |back: usize| {
            let sum: f64 = (back..n).map(|i| w[[i, i - back]]).sum();
            sum / n.saturating_sub(back).max(1) as f64
        };
        close(scores.previous, diagonal(1), "previous token");
        close(scores.duplicate, diagonal(period), "duplicate token");
        close(scores.induction, diagonal(period - 1), "induction");
    }
}

fn masks() -> impl Strategy<Value = Mask> {
    prop_oneof![
        Just(Mask::None),
        Just(Mask::Causal { offset: 0 }),
        (-3_isize..4).prop_map(|offset| Mask::Causal { offset }),
        (1_usize..6).prop_map(|window| Mask::Window { window, offset: 0 }),
        (1_usize..6, -3_isize..4).prop_map(|(window, offset)| Mask::Window { window, offset }),
        (0_usize..6, -3_isize..4)
            .prop_map(|(radius, offset)| Mask::SymmetricWindow { radius, offset }),
    ]
}

/// Ranges of keys of `n` tokens, so many of which belong together.
fn ranges(n: usize, (kind, width): (usize, usize)) -> Mask {
    let range = |i: usize| match (kind, i / width) {
        // A causal mask in chunks.
        (0, chunk) => chunk * width..i + 1,
        // A prefix that sees itself whole.
        (1, _) => 0..(i + 1).max(width).min(n),
        // Padding between packed documents.
        (_, document) if document % 3 == 1 && kind == 3 => document * width..document * width,
        (_, document) => document * width..(document * width + width).min(n),
    };
    Mask::Ranges {
        ranges: KeyRanges::new((0..n).map(range)).unwrap(),
        offset: 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_statistic_is_the_plain_sum_over_every_mask(
        text in prop_oneof![
            Just("Ann met Jo. Then she left, and Madison thanked Tom.".to_owned()),
            "([A-Za-z]{1,5} ?){1,8}[.]?",
        ],
        mask in masks(),
        of_ranges in prop::option::weighted(0.3, (0_usize..4, 1_usize..6)),
        prefix_tokens in 0_usize..4,
        heads in 1_usize..4,
        seed: u64,
    ) {
        let mut example = Example { text, prefix_tokens, layers: 2, heads, mask: Mask::None, seed };
        example.mask = match of_ranges {
            Some(chosen) => ranges(example.trace().n(), chosen),
            None => mask,
        };
        // A token has at most four bytes here; a mask's offset lies within the text.
        let most = prefix_tokens + example.text.len().div_ceil(4);
        prop_assume!(example.mask.offset().unsigned_abs() <= most);
        let trace = trace(&example);
        check_profiles(&trace, &example.mask);
        check_rollout(&trace);
        check_words(&trace);
        check_look(&trace);
        check_probes(&trace, 3);
    }
}

/// Four tokens, two of them a prefix, that all see each other and look at all alike.
#[test]
fn without_a_mask_the_prefix_gets_its_part_and_no_more() {
    let meta = Meta {
        text: "ab cd".to_owned(),
        tokens: vec![0, 1, 2, 3],
        spans: vec![(0, 0), (0, 0), (0, 2), (2, 5)],
        prefix_tokens: 2,
        layers: vec![Scoring::new(1.0, Mask::None)],
        ..Example::default().trace().meta().clone()
    };
    let layer = Layer {
        q: Array3::zeros((1, 4, 2)),
        k: Array3::zeros((1, 4, 2)),
        lse: Array2::from_elem((1, 4), 4_f32.ln()),
        vnorm: Some(Array2::ones((1, 4))),
        ..Layer::default()
    };
    let trace = Trace::new(meta, vec![layer]).unwrap();
    let profile = profiles(&trace, &[]).unwrap()[0];
    let values = profile.values.unwrap();
    close(values.value_sink_share, 0.5, "value sink");
    close(values.value_self_share, 0.25, "value self");
    close(profile.sink_share, 0.5, "sink");
}
