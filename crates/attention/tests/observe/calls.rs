//! How observers are called: threads, storage, numbers that are not finite, cut edges, and what is rejected.

use half::{bf16, f16};
use lookback_attention::forward::forward;
use lookback_attention::observe::{
    DistanceMass, Edge, Entropy, Pool, PooledTile, Received, RowMax, Rows, Span, SpanMass, TopK,
    Within, observe, observe_head, observe_on,
};
use lookback_attention::{Error, InstructionSet, Mask, Scoring};
use ndarray::{Array3, Array4, s};

use crate::common::Random;

/// q, k \[1, 2, n, 16\] and the LSE of the default scoring.
fn call(n: usize) -> (Array4<f32>, Array4<f32>, Array3<f32>) {
    let mut random = Random(5);
    let (q, k) = (random.plain([1, 2, n, 16]), random.plain([1, 2, n, 16]));
    let out = forward(q.view(), k.view(), k.view(), &Scoring::default()).expect("valid");
    (q, k, out.lse)
}

fn whole(n: usize, pool: Pool) -> PooledTile {
    PooledTile {
        rows: 0..n,
        cols: 0..n,
        height: 7,
        width: 9,
        pool,
    }
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let n = 700;
    let (q, k, lse) = call(n);
    let factors = k.map_axis(ndarray::Axis(3), |k| k.dot(&k).sqrt());
    let observer = (
        (TopK::by_weight(16), TopK::by_product(5, factors.view())),
        (Entropy, RowMax, Received),
        SpanMass::new([Span::own(), Span::Keys(3..400)]),
        DistanceMass,
        (whole(n, Pool::Max), whole(n, Pool::Mean)),
    );
    for set in InstructionSet::available() {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let run = || {
                let call = (q.view(), k.view(), lse.view());
                observe_on(set, call, &Scoring::default(), &[], &observer).expect("valid")
            };
            pool.build().expect("a pool").install(run)
        };
        let one = on(1);
        for threads in [2, 3] {
            let found = on(threads);
            assert!(found == one, "{} on {threads} threads", set.name());
        }
    }
}

#[test]
fn keys_of_half_precision_count_as_the_numbers_they_hold() {
    let (q, k, lse) = call(130);
    let scoring = Scoring::default();
    let halves = k.mapv(f16::from_f32);
    let widened = halves.mapv(f32::from);
    let found = observe(q.view(), halves.view(), lse.view(), &scoring, &Received);
    let exact = observe(q.view(), widened.view(), lse.view(), &scoring, &Received);
    assert_eq!(found, exact);
    let brains = k.mapv(bf16::from_f32);
    let widened = brains.mapv(f32::from);
    let found = observe(q.view(), brains.view(), lse.view(), &scoring, &Received);
    let exact = observe(q.view(), widened.view(), lse.view(), &scoring, &Received);
    assert_eq!(found, exact);
}

#[test]
fn nan_in_gives_nan_out_and_nowhere_else() {
    let n = 300;
    let (mut q, k, _) = call(n);
    q[[0, 1, 170, 3]] = f32::NAN;
    let scoring = Scoring::default();
    let lse = forward(q.view(), k.view(), k.view(), &scoring)
        .expect("valid")
        .lse;
    let observer = (
        TopK::by_weight(3),
        (Entropy, RowMax, Received),
        SpanMass::new([Span::first(), Span::Keys(250..260)]),
        DistanceMass,
        (whole(n, Pool::Max), whole(n, Pool::Mean)),
    );
    for set in InstructionSet::available() {
        let call = (q.view(), k.view(), lse.view());
        let found = observe_on(set, call, &scoring, &[], &observer).expect("valid");
        let (top, (entropy, max, received), mass, distances, (pool_max, pool_mean)) = found;
        for h in 0..2 {
            for i in 0..n {
                let nan = (h, i) == (1, 170);
                assert_eq!(top.values[[0, h, i, 0]].is_nan(), nan);
                assert_eq!(entropy[[0, h, i]].is_nan(), nan, "{h} {i}");
                assert_eq!(max[[0, h, i]].is_nan(), nan);
                assert_eq!(mass[[0, h, i, 0]].is_nan(), nan);
                // The query sees none of those keys.
                assert!(i >= 250 || mass[[0, h, i, 1]] == 0.0);
                assert_eq!(distances.mean[[0, h, i]].is_nan(), nan);
                assert_eq!(received[[0, h, i]].is_nan(), h == 1 && i <= 170);
            }
        }
        assert_eq!(
            top.list(0, 1, 170).map(|(key, _)| key).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        for pooled in [pool_max, pool_mean] {
            for ((_, h, y, x), cell) in pooled.indexed_iter() {
                // Row 170 of 300 is in cell row 3 of 7, key 170 in cell column 5 of 9.
                assert_eq!(cell.is_nan(), h == 1 && y == 3 && x <= 5, "{h} {y} {x}");
            }
        }
    }
}

#[test]
fn a_query_that_sees_no_key_has_no_statistics() {
    let (q, k, _) = call(40);
    let scoring = Scoring::default().with_mask(Mask::StrictlyBefore { offset: 0 });
    let lse = forward(q.view(), k.view(), k.view(), &scoring)
        .expect("valid")
        .lse;
    let observer = (TopK::by_weight(2), Entropy, RowMax, DistanceMass);
    let found = observe(q.view(), k.view(), lse.view(), &scoring, &observer).expect("valid");
    assert_eq!(found.0.list(0, 0, 0).count(), 0);
    assert!(found.1[[0, 0, 0]].is_nan() && found.2[[0, 0, 0]].is_nan());
    assert!(found.3.mean[[0, 0, 0]].is_nan());
    assert_eq!(found.3.mass.slice(s![0, 0, 0, ..]).sum(), 0.0);
    assert_eq!((found.1[[0, 0, 1]], found.2[[0, 0, 1]]), (0.0, 1.0));
}

#[test]
fn cut_edges_have_no_weight_and_the_rest_is_untouched() {
    let (q, k, lse) = call(300);
    let edge = |head, query, key| Edge {
        batch: 0,
        head,
        query,
        key,
    };
    let cut = [
        edge(1, 299, 270),
        edge(0, 20, 0),
        edge(1, 299, 3),
        edge(0, 20, 0),
        edge(0, 2, 9),
    ];
    let rows = Rows::new([20, 299, 2]);
    let call = (q.view(), k.view(), lse.view());
    let scoring = Scoring::default();
    let observer = (&rows, Entropy);
    let set = InstructionSet::best();
    let (mut before, _) = observe_on(set, call, &scoring, &[], &observer).expect("valid");
    let (after, entropy) = observe_on(set, call, &scoring, &cut, &observer).expect("valid");
    for (head, row, key) in [(1, 1, 270), (0, 0, 0), (1, 1, 3), (0, 2, 9)] {
        before[[0, head, row, key]] = 0.0;
    }
    assert_eq!(before, after);
    let terms = after.slice(s![0, 1, 1, ..]).mapv(f64::from);
    let exact = -terms.mapv(|w| if w > 0.0 { w * w.ln() } else { 0.0 }).sum();
    assert!((f64::from(entropy[[0, 1, 299]]) - exact).abs() < 1e-5);
    let beyond = observe_on(set, call, &scoring, &[edge(0, 300, 0)], &Entropy);
    assert_eq!(
        beyond.expect_err("no such query").to_string(),
        "queries 300..301 is not within 0..300"
    );
}

#[test]
fn only_what_is_wanted_is_shown() {
    let n = 300;
    let (q, k, lse) = call(n);
    let (q, k) = (q.slice(s![0, 0, .., ..]), k.slice(s![0, 0, .., ..]));
    let lse = lse.slice(s![0, 0, ..]);
    let observer = (
        Within {
            rows: 37..260,
            observer: (Entropy, Received),
        },
        Option::<Entropy>::None,
        vec![RowMax, RowMax],
    );
    let scoring = Scoring::default();
    let (within, none, twice) = observe_head(q, k, lse, &scoring, &observer).expect("valid");
    let all = observe_head(
        q,
        k,
        lse,
        &scoring,
        &(Entropy, Rows::new((0..n).collect::<Vec<_>>())),
    );
    let (entropy, rows) = all.expect("valid");
    for i in 0..n {
        let found = within.0[[0, 0, i]];
        let inside = (37..260).contains(&i);
        assert!(if inside {
            found == entropy[[0, 0, i]]
        } else {
            found.is_nan()
        });
        let sum = rows.slice(s![0, 0, 37..260, i]).mapv(f64::from).sum();
        assert!((within.1[[0, 0, i]] - sum).abs() < 1e-5);
    }
    assert!(none.is_none() && twice[0] == twice[1] && twice.len() == 2);
}

#[test]
fn what_cannot_be_answered_is_refused() {
    let (q, k, lse) = call(20);
    let on = |observer: &dyn Fn() -> Option<Error>| observer().expect("rejected").to_string();
    let scoring = Scoring::default();
    macro_rules! rejected {
        ($observer:expr) => {
            on(&|| observe(q.view(), k.view(), lse.view(), &scoring, &$observer).err())
        };
    }
    assert_eq!(
        rejected!(Rows::new([3, 20])),
        "queries 20..21 is not within 0..20"
    );
    assert_eq!(
        rejected!(SpanMass::new([Span::Keys(3..21)])),
        "keys 3..21 is not within 0..20"
    );
    let tile = |rows, height| PooledTile {
        rows,
        height,
        ..whole(20, Pool::Max)
    };
    assert_eq!(rejected!(tile(0..21, 2)), "rows 0..21 is not within 0..20");
    let empty = "the number of rows of the pooled tile is 0; it must be at least 1";
    assert_eq!(rejected!(tile(4..4, 2)), empty);
    let flat = "the height of the pooled tile is 0; it must be at least 1";
    assert_eq!(rejected!(tile(0..4, 0)), flat);
    assert!(rejected!(tile(0..4, usize::MAX)).contains("it must be at most 2^28"));
    let factors = Array3::from_elem((1, 2, 20), -1.0);
    let negative = "factors is -1; each must be finite and not negative";
    assert_eq!(rejected!(TopK::by_product(2, factors.view())), negative);
    let factors = Array3::zeros((1, 2, 19));
    let short = "M is 19 in the factors but 20 in k; they must be equal";
    assert_eq!(rejected!(TopK::by_product(2, factors.view())), short);
    let lse = Array3::zeros((1, 2, 19));
    let call = observe(q.view(), k.view(), lse.view(), &scoring, &Entropy);
    let message = "N is 19 in lse but 20 in q; they must be equal";
    assert_eq!(call.expect_err("short").to_string(), message);
    // More than there are keys is no mistake.
    let lse = Array3::zeros((1, 2, 20));
    let all = observe(
        q.view(),
        k.view(),
        lse.view(),
        &scoring,
        &TopK::by_weight(usize::MAX),
    );
    assert_eq!(all.expect("valid").keys.dim(), (1, 2, 20, 20));
}
