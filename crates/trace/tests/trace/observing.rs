//! Observers of layers and heads, against the weights that the trace gives row by row.

use lookback_trace::observe::{Entropy, Pool, PooledTile, Received, Rows, TopK};
use lookback_trace::{Cut, Error, InterventionRecord, Meta, SaveOptions, Scoring, Trace};
use ndarray::{Array2, s};

use crate::common::{self, Numbers, Sizes, causal, layer, meta};

const N: usize = 300;

/// A trace of one layer of 4 heads, 2 of keys, over 300 tokens, with some edges cut.
fn long(described: &Scoring<'static>, cut: Vec<Cut>) -> Trace {
    let sizes = Sizes {
        n: N,
        ..common::SMALL
    };
    let layer = layer(&mut Numbers::new(3), sizes, described, &cut);
    let meta = Meta {
        text: "x".repeat(N),
        tokens: vec![1; N],
        spans: (0..N).map(|i| (i, i + 1)).collect(),
        prefix_tokens: 0,
        interventions: InterventionRecord {
            cut,
            ..InterventionRecord::default()
        },
        ..meta(vec![described.clone()])
    };
    Trace::new(meta, vec![layer]).unwrap()
}

fn cuts() -> Vec<Cut> {
    let cut = |head, i, j| Cut {
        layer: 0,
        head,
        i,
        j,
    };
    // A row with nothing left, the last edge of all, one twice, and one that the mask hides.
    let mut cuts: Vec<_> = (0..=17).map(|j| cut(1, 17, j)).collect();
    cuts.extend([
        cut(3, 299, 299),
        cut(0, 280, 3),
        cut(0, 280, 3),
        cut(2, 4, 9),
    ]);
    cuts
}

/// All of a layer's weights come out of a walk as they do row by row, bit by bit.
fn same_weights(trace: &Trace) {
    let all = Rows::new((0..N).collect::<Vec<_>>());
    let found = trace.observe(0, &all).unwrap();
    for head in 0..4 {
        let expected = trace.weights(0, head, 0..N, 0..N).unwrap();
        assert_eq!(found.slice(s![0, head, .., ..]), expected, "head {head}");
        let alone = trace.head(0, head).unwrap().observe(&all).unwrap();
        assert_eq!(alone.slice(s![0, 0, .., ..]), expected, "head {head} alone");
    }
}

#[test]
fn layers_and_heads_show_the_weights_of_their_rows() {
    same_weights(&long(&causal(), vec![]));
    let described = causal()
        .with_sinks(vec![0.5, -3.0, 2.0, 0.0])
        .with_alibi(vec![0.5, 0.25, 0.125, 0.0625])
        .with_soft_cap(0.7);
    same_weights(&long(&described, vec![]));
}

#[test]
fn cut_edges_have_weight_0() {
    let trace = long(&causal(), cuts());
    same_weights(&trace);
    let entropy = trace.observe(0, &Entropy).unwrap();
    assert!(entropy[[0, 1, 17]].is_nan() && entropy[[0, 0, 17]] > 0.0);
}

#[test]
fn statistics_of_a_layer_are_those_of_its_heads() {
    let trace = long(&causal(), cuts());
    let observer = (TopK::by_weight(5), Entropy, Received);
    let (top, entropy, received) = trace.observe(0, &observer).unwrap();
    for h in 0..4 {
        let head = trace.head(0, h).unwrap();
        let entropies = head.entropy_rows().unwrap();
        let lists = head.top_k_rows(5).unwrap();
        for i in 0..N {
            assert_eq!(top.list(0, h, i).collect::<Vec<_>>(), lists[i]);
            assert_eq!(lists[i], head.top_k(i, 5).unwrap());
            assert_eq!(entropies[i].to_bits(), entropy[[0, h, i]].to_bits());
            assert_eq!(entropies[i].to_bits(), head.entropy(i).unwrap().to_bits());
        }
        let of_head = head.received().unwrap();
        assert_eq!(of_head, received.slice(s![0, h, ..]).mapv(|x| x as f32));
    }
}

#[test]
fn files_of_half_precision_answer_alike() {
    let trace = long(&causal(), vec![]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    let options = SaveOptions {
        qk_dtype: lookback_trace::Dtype::F16,
        ..SaveOptions::default()
    };
    trace.save(&path, &options).unwrap();
    same_weights(&Trace::open(&path).unwrap());
}

/// Cells the long way.
fn pool(weights: &Array2<f32>, tile: &PooledTile) -> Array2<f64> {
    let cell = |range: &std::ops::Range<usize>, cells: usize, at: usize| {
        let start = range.start + at * range.len() / cells;
        start..(range.start + (at + 1) * range.len() / cells).max(start + 1)
    };
    Array2::from_shape_fn((tile.height, tile.width), |(y, x)| {
        let rows = cell(&tile.rows, tile.height, y);
        let area = weights.slice(s![rows, cell(&tile.cols, tile.width, x)]);
        let area = area.mapv(f64::from);
        match tile.pool {
            Pool::Max => area.iter().copied().fold(0.0, f64::max),
            Pool::Mean => area.mean().unwrap(),
        }
    })
}

#[test]
fn pooled_tiles_at_any_zoom() {
    let trace = long(&causal(), cuts());
    let head = trace.head(0, 3).unwrap();
    let weights = head.weights(0..N, 0..N).unwrap();
    for (rows, cols, height, width) in [
        (0..300, 0..300, 256, 256),
        (0..300, 0..300, 1, 1),
        (100..101, 33..34, 4, 8),
        (17..280, 250..300, 10, 100),
        (290..300, 0..300, 40, 17),
    ] {
        for kind in [Pool::Max, Pool::Mean] {
            let tile = PooledTile {
                rows: rows.clone(),
                cols: cols.clone(),
                height,
                width,
                pool: kind,
            };
            let found = head.pooled(&tile).unwrap();
            let expected = pool(&weights, &tile);
            assert_eq!(found.dim(), (height, width));
            for (at, &found) in found.indexed_iter() {
                assert!(
                    (f64::from(found) - expected[at]).abs() < 1e-6,
                    "{tile:?} {at:?}"
                );
            }
        }
    }
}

#[test]
fn what_is_not_there_is_refused() {
    let trace = long(&causal(), vec![]);
    let tile = PooledTile {
        rows: 0..301,
        cols: 0..1,
        height: 1,
        width: 1,
        pool: Pool::Max,
    };
    let refused = trace.head(0, 0).unwrap().pooled(&tile).unwrap_err();
    assert!(matches!(
        refused,
        Error::NoSuchTokens {
            what: "queries",
            ..
        }
    ));
    let refused = trace.observe(1, &Entropy).unwrap_err();
    assert!(matches!(refused, Error::NoSuchLayer { layer: 1, .. }));
    let refused = trace.observe(0, &Rows::new([300])).unwrap_err();
    assert!(matches!(refused, Error::Attention(_)));
}

#[test]
fn damage_never_passes_for_statistics() {
    let damage: [fn(&mut lookback_trace::Layer); 3] = [
        |l| l.q[[1, 200, 0]] = f32::NAN,
        |l| l.k[[0, 200, 2]] = f32::NAN,
        |l| l.lse[[1, 200]] -= 5.0,
    ];
    for damage in damage {
        let sizes = Sizes {
            n: N,
            ..common::SMALL
        };
        let mut layer = layer(&mut Numbers::new(3), sizes, &causal(), &[]);
        damage(&mut layer);
        let sound = long(&causal(), vec![]);
        let trace = Trace::new(sound.meta().clone(), vec![layer]).unwrap();
        let refused = trace.observe(0, &Received);
        assert!(
            matches!(
                refused,
                Err(Error::NotAWeight {
                    layer: 0,
                    i: 200,
                    ..
                })
            ),
            "{refused:?}"
        );
        let refused = trace.head(0, 1).unwrap().entropy_rows();
        assert!(
            matches!(
                refused,
                Err(Error::NotAWeight {
                    head: 1,
                    i: 200,
                    ..
                })
            ),
            "{refused:?}"
        );
        // A part that has nothing of the damage is answered.
        let tile = PooledTile {
            rows: 0..90,
            cols: 0..90,
            height: 9,
            width: 9,
            pool: Pool::Mean,
        };
        assert!(trace.head(0, 1).unwrap().pooled(&tile).is_ok());
    }
}

#[test]
fn a_walk_that_nobody_wants_any_more_has_no_answer() {
    use std::sync::atomic::AtomicBool;
    let trace = long(&causal(), cuts());
    let [stopped, wanted] = [true, false].map(AtomicBool::new);
    assert!(
        trace
            .observe_cancellable(0, &Entropy, &stopped)
            .unwrap()
            .is_none()
    );
    let found = trace
        .observe_cancellable(0, &Entropy, &wanted)
        .unwrap()
        .unwrap();
    let expected = trace.observe(0, &Entropy).unwrap();
    let bits = |x: &f32| x.to_bits();
    assert!(found.iter().map(bits).eq(expected.iter().map(bits)));
}
