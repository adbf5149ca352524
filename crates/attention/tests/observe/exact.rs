//! Every observer against sums over all weights of the reference.

use lookback_attention::observe::{
    DistanceMass, Entropy, Heaviest, Pool, PooledTile, Received, RowMax, Rows, Span, SpanMass,
    TopK, observe_on,
};
use lookback_attention::reference::Exact;
use lookback_attention::{InstructionSet, Mask, Scoring};
use ndarray::{Array3, Array4, s};
use proptest::prelude::*;

use crate::common::{Random, agrees, exact};

/// A case of the property.
#[derive(Debug, Clone)]
struct Case {
    b: usize,
    kv_heads: usize,
    group: usize,
    n: usize,
    m: usize,
    d_k: usize,
    mask: Mask,
    soft_cap: Option<f32>,
    alibi: bool,
    sinks: bool,
    bias: Option<[bool; 4]>,
    key_lengths: bool,
    k: usize,
    seed: u64,
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 1usize..40, 2 => 40usize..150, 1 => 250usize..300, 1 => 500usize..530]
}

fn masks() -> impl Strategy<Value = Mask> {
    let offset = || prop_oneof![Just(0isize), -20isize..60, -600isize..600];
    prop_oneof![
        Just(Mask::None),
        offset().prop_map(|offset| Mask::Causal { offset }),
        offset().prop_map(|offset| Mask::StrictlyBefore { offset }),
        (prop_oneof![1usize..10, 1usize..300], offset())
            .prop_map(|(window, offset)| Mask::Window { window, offset }),
    ]
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = (
        1usize..3,
        1usize..3,
        1usize..3,
        sizes(),
        sizes(),
        1usize..40,
    );
    let options = (
        masks(),
        prop::option::weighted(0.25, 0.5f32..30.0),
        prop::bool::weighted(0.25),
        prop::bool::weighted(0.25),
        prop::option::weighted(0.25, any::<[bool; 4]>()),
        prop::bool::weighted(0.25),
    );
    let k = prop_oneof![4 => 0usize..20, 1 => 60usize..200];
    (shape, options, k, any::<u64>()).prop_map(|(shape, options, k, seed)| {
        let (b, kv_heads, group, n, m, d_k) = shape;
        let (mask, soft_cap, alibi, sinks, bias, key_lengths) = options;
        Case {
            b,
            kv_heads,
            group,
            n,
            m,
            d_k,
            mask,
            soft_cap,
            alibi,
            sinks,
            bias,
            key_lengths,
            k,
            seed,
        }
    })
}

/// What rounding may change in a sum of weights, relative to the largest: scores are sums of products as large as
/// scale · ‖q‖ · ‖k‖ plus the distance penalty, and so is the LSE; and a sum takes up to 48 roundings in f32 (16 lines of
/// a tile's row, 16 lanes, and the queries of a block in threes).
fn rounding(case: &Case, q: &Array4<f32>, k: &Array4<f32>) -> f64 {
    let longest = |x: &Array4<f32>| {
        let rows = x.rows().into_iter().map(|row| row.dot(&row));
        rows.fold(0.0, f32::max).sqrt()
    };
    let far = (case.n + case.m + case.mask.offset().unsigned_abs()) as f32;
    let penalty = if case.alibi { 0.2 * far } else { 0.0 };
    let scores = longest(q) * longest(k) / (case.d_k as f32).sqrt() + penalty;
    4e-7 * f64::from(2.0 + scores) + 48.0 * 6e-8
}

/// Runs a case on every instruction set and compares all observers with the reference's weights.
fn check(case: &Case) -> Result<(), TestCaseError> {
    let mut random = Random(case.seed);
    let heads = case.kv_heads * case.group;
    let q = random.plain([case.b, heads, case.n, case.d_k]);
    let k = random.plain([case.b, case.kv_heads, case.m, case.d_k]);
    let slopes: Vec<f32> = (0..heads).map(|_| random.unit() * 0.2 - 0.02).collect();
    let sinks: Vec<f32> = (0..heads).map(|_| random.normal() * 2.0).collect();
    let lengths: Vec<usize> = (0..case.b)
        .map(|_| random.next() as usize % (case.m + 1))
        .collect();
    let full = case.bias.unwrap_or_default();
    let dim = [case.b, heads, case.n, case.m];
    let bias = random.plain(std::array::from_fn(|i| if full[i] { dim[i] } else { 1 }));
    let mut scoring = Scoring::default().with_mask(case.mask);
    scoring.soft_cap = case.soft_cap;
    scoring.alibi = case.alibi.then_some(&slopes[..]);
    scoring.sinks = case.sinks.then_some(&sinks[..]);
    scoring.bias = case.bias.map(|_| bias.view());
    scoring.key_lengths = case.key_lengths.then_some(&lengths[..]);
    let off = rounding(case, &q, &k);
    let expected = exact(q.view(), k.view(), k.view(), &scoring);
    let lse = expected.lse.mapv(|lse| lse as f32);
    let factors = random
        .plain([1, heads, case.m, 1])
        .remove_axis(ndarray::Axis(3));
    let factors = factors.mapv(f32::abs);
    let spans = vec![
        Span::first(),
        Span::own(),
        Span::previous(),
        Span::Keys(case.m / 3..case.m),
        Span::Keys(case.m / 5..case.m / 5 + case.m / 2),
        Span::Distances(-3..70),
    ];
    let chosen = vec![case.n - 1, 0, case.n / 2, case.n - 1];
    let rows = case.n / 4..case.n;
    let cols = case.m / 7..case.m - case.m / 9;
    let pooled = |pool, height, width| PooledTile {
        rows: rows.clone(),
        cols: cols.clone(),
        height,
        width,
        pool,
    };
    let pools = vec![
        pooled(Pool::Max, 3, 7),
        pooled(Pool::Mean, 11, 2),
        pooled(Pool::Mean, rows.len() + 5, cols.len() * 2),
        pooled(Pool::Max, rows.len(), cols.len()),
    ];
    let observer = (
        (
            TopK::by_weight(case.k),
            TopK::by_product(case.k, factors.view()),
        ),
        Entropy,
        SpanMass::new(spans.clone()),
        DistanceMass,
        Received,
        RowMax,
        Rows::new(chosen.clone()),
        pools.clone(),
    );
    for set in InstructionSet::available() {
        let call = (q.view(), k.view(), lse.view());
        let found = observe_on(set, call, &scoring, &[], &observer).expect("valid");
        let w = &expected.weights;
        top_k(&found.0.0, w, None, (case.k, off));
        top_k(&found.0.1, w, Some(&factors), (case.k, off));
        let whole = (0..w.dim().0, 0..w.dim().1);
        for b in whole.0 {
            for h in whole.1.clone() {
                for i in 0..case.n {
                    let row = w.slice(s![b, h, i, ..]);
                    let seen = row.iter().any(|&w| w > 0.0);
                    let entropy = -row
                        .iter()
                        .map(|&w| if w > 0.0 { w * w.ln() } else { 0.0 })
                        .sum::<f64>();
                    let entropy = if seen { entropy } else { f64::NAN };
                    prop_assert!(
                        agrees(found.1[[b, h, i]], entropy, off, 1.0 + entropy),
                        "entropy {b} {h} {i}: {} {entropy}",
                        found.1[[b, h, i]]
                    );
                    let max = row.iter().copied().fold(0.0, f64::max);
                    let max = if seen { max } else { f64::NAN };
                    prop_assert!(agrees(found.5[[b, h, i]], max, off, 0.0));
                    let position = i as isize + case.mask.offset();
                    for (at, span) in spans.iter().enumerate() {
                        let inside = |j: usize| match span {
                            Span::Keys(keys) => keys.contains(&j),
                            Span::Distances(range) => range.contains(&(position - j as isize)),
                        };
                        let mass: f64 = row
                            .iter()
                            .enumerate()
                            .filter(|(j, _)| inside(*j))
                            .map(|(_, w)| w)
                            .sum();
                        prop_assert!(agrees(found.2[[b, h, i, at]], mass, off, 0.0), "{span:?}");
                    }
                    let distance = |j: usize| (position - j as isize).unsigned_abs();
                    let mut buckets = vec![0.0; found.3.mass.dim().3];
                    let mut mean = 0.0;
                    for (j, w) in row.iter().enumerate().filter(|(_, w)| **w > 0.0) {
                        buckets[distance(j).checked_ilog2().map_or(0, |b| b as usize + 1)] += w;
                        mean += w * distance(j) as f64;
                    }
                    for (bucket, mass) in buckets.into_iter().enumerate() {
                        prop_assert!(
                            agrees(found.3.mass[[b, h, i, bucket]], mass, off, 0.0),
                            "bucket {bucket}"
                        );
                    }
                    let mean = mean / row.sum();
                    // A weight below f32's least normal number may count as 0, as far from the mean as the row is long.
                    let lost = case.m as f64 * f64::from(f32::MIN_POSITIVE) / row.sum();
                    let tolerance = 2.0 * off * mean.max(1.0) + lost * case.m as f64;
                    prop_assert!(
                        agrees(found.3.mean[[b, h, i]], mean, tolerance, 0.0),
                        "{} {mean}",
                        found.3.mean[[b, h, i]]
                    );
                }
                for j in 0..case.m {
                    let sum = w.slice(s![b, h, .., j]).sum();
                    prop_assert!((found.4[[b, h, j]] - sum).abs() < off * sum.max(1.0));
                    for (at, &i) in chosen.iter().enumerate() {
                        prop_assert!(agrees(found.6[[b, h, at, j]], w[[b, h, i, j]], off, 0.0));
                    }
                }
                for (pool, found) in pools.iter().zip(&found.7) {
                    for ((y, x), &found) in found.slice(s![b, h, .., ..]).indexed_iter() {
                        let exact = pool_cell(&expected, (b, h), pool, (y, x));
                        prop_assert!(
                            agrees(found, exact, off, 0.0),
                            "{pool:?} {y} {x}: {found} {exact}"
                        );
                    }
                }
            }
        }
    }
    Ok(())
}

/// One cell of a pooled tile.
fn pool_cell(
    exact: &Exact,
    (b, h): (usize, usize),
    tile: &PooledTile,
    (y, x): (usize, usize),
) -> f64 {
    let cell = |range: &std::ops::Range<usize>, cells: usize, at: usize| {
        let start = range.start + at * range.len() / cells;
        let end = range.start + (at + 1) * range.len() / cells;
        start..end.max(start + 1)
    };
    let (rows, cols) = (
        cell(&tile.rows, tile.height, y),
        cell(&tile.cols, tile.width, x),
    );
    let area = exact.weights.slice(s![b, h, rows, cols]);
    match tile.pool {
        Pool::Max => area.iter().copied().fold(0.0, f64::max),
        Pool::Mean => area.mean().expect("not empty"),
    }
}

/// Lists against the reference: the values are those of the k heaviest, each belongs to its key, in order.
fn top_k(found: &Heaviest, w: &Array4<f64>, factors: Option<&Array3<f32>>, (k, off): (usize, f64)) {
    for ((b, h, i), _) in w.slice(s![.., .., .., 0]).indexed_iter() {
        let value = |j: usize| w[[b, h, i, j]] * factors.map_or(1.0, |f| f64::from(f[[0, h, j]]));
        let mut values: Vec<f64> = (0..w.dim().3).map(value).filter(|&v| v > 1e-37).collect();
        values.sort_by(|a, b| b.total_cmp(a));
        values.truncate(k);
        let list: Vec<_> = found.list(b, h, i).collect();
        assert!(
            list.len() >= values.len() && list.len() <= k,
            "{b} {h} {i}: {list:?} {values:?}"
        );
        for (&(key, found), exact) in list.iter().zip(&values) {
            assert!(
                agrees(found, *exact, off, *exact),
                "{b} {h} {i}: {found} {exact}"
            );
            assert!(agrees(found, value(key), off, value(key)));
        }
        for pair in list.windows(2) {
            assert!(pair[0].1 > pair[1].1 || (pair[0].1 == pair[1].1 && pair[0].0 < pair[1].0));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_walk_agrees_with_the_reference(case in cases()) {
        check(&case)?;
    }
}
