//! Observers, asked anything of anything.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lookback_attention::observe::{
    DistanceMass, Edge, Entropy, Pool, PooledTile, Received, RowMax, Rows, Span, SpanMass, TopK,
    Within, observe, observe_head, observe_on,
};
use lookback_attention::{InstructionSet, Mask, Scoring};
use ndarray::{Axis, s};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::common::hostile::{Layout, layouts, masks, near, offsets, repeated, sizes};

/// What is asked of a walk; `None` asks nothing.
#[derive(Debug, Clone)]
struct Question {
    k: Option<usize>,
    /// k, the factors' shape and how they lie.
    factors: Option<(usize, [usize; 3], Layout)>,
    spans: Option<Vec<Span>>,
    rows: Option<Vec<usize>>,
    picture: Option<PooledTile>,
    /// Queries that another picture, and sums, are confined to.
    within: Option<(Range<usize>, PooledTile)>,
    all: bool,
}

/// A call of `observe`.
#[derive(Debug, Clone)]
struct Call {
    q: [usize; 4],
    k: [usize; 4],
    lse: [usize; 3],
    layouts: [Layout; 3],
    mask: Mask,
    lengths: Option<Vec<usize>>,
    cut: Vec<Edge>,
    question: Question,
}

/// Mostly few, so that most calls have an answer.
fn few() -> impl Strategy<Value = usize> {
    prop_oneof![12 => 1usize..5, 4 => Just(17), 1 => sizes()]
}

/// An index into `len`, or a place beyond.
fn indices(len: usize) -> impl Strategy<Value = usize> {
    prop_oneof![
        6 => 0..len.clamp(1, 64),
        1 => Just(len.saturating_sub(1)),
        1 => prop::sample::select(vec![len, usize::MAX]),
    ]
}

/// A range of `len`, mostly within it; also empty, reversed and beyond.
fn ranges(len: usize) -> impl Strategy<Value = Range<usize>> {
    let ends = || (indices(len), indices(len));
    prop_oneof![
        2 => Just(0..len),
        4 => ends().prop_map(|(a, b)| a.min(b)..a.max(b)),
        1 => ends().prop_map(|(a, b)| a..b),
    ]
}

fn spans(m: usize) -> impl Strategy<Value = Span> {
    prop_oneof![
        ranges(m).prop_map(Span::Keys),
        (offsets(), offsets()).prop_map(|(a, b)| Span::Distances(a.min(b)..a.max(b))),
        (offsets(), offsets()).prop_map(|(a, b)| Span::Distances(a..b)),
        prop::sample::select(vec![Span::own(), Span::previous(), Span::first()]),
    ]
}

fn pictures(n: usize, m: usize) -> impl Strategy<Value = PooledTile> {
    let cells = || prop_oneof![8 => 1usize..9, 1 => Just(1 << 16), 1 => prop::sample::select(vec![0, usize::MAX])];
    let pool = prop::sample::select(vec![Pool::Max, Pool::Mean]);
    (ranges(n), ranges(m), cells(), cells(), pool).prop_map(|(rows, cols, height, width, pool)| {
        PooledTile {
            rows,
            cols,
            height,
            width,
            pool,
        }
    })
}

prop_compose! {
    fn questions([b, h, n, m]: [usize; 4])(
        k in prop::option::of(prop::sample::select(vec![0, 1, 3, 16, 40, usize::MAX])),
        factors in prop::option::weighted(0.3, (
            prop::sample::select(vec![0, 1, 4, usize::MAX]),
            (prop_oneof![Just(1), near(b)], near(h), near(m)).prop_map(<[usize; 3]>::from),
            layouts(),
        )),
        spans in prop::option::weighted(0.3, prop::collection::vec(spans(m), 0..5)),
        rows in prop::option::weighted(0.3, prop::collection::vec(indices(n), 0..6)),
        picture in prop::option::weighted(0.3, pictures(n, m)),
        within in prop::option::weighted(0.3, (ranges(n), pictures(n, m))),
        all in any::<bool>(),
    ) -> Question {
        Question { k, factors, spans, rows, picture, within, all }
    }
}

prop_compose! {
    fn calls()(
        (b, h_kv, group, n, m, d_k) in (few(), few(), 1usize..3, few(), few(), few()),
    )(
        (h, lengths, cut) in {
            let h = h_kv.saturating_mul(group);
            let edge = (indices(b), indices(h), indices(n), indices(m));
            let edge = edge.prop_map(|(batch, head, query, key)| Edge { batch, head, query, key });
            // One in four edges is given twice.
            let twice = (edge, 0..4).prop_map(|(edge, at)| vec![edge; if at == 0 { 2 } else { 1 }]);
            let cut = prop_oneof![2 => Just(vec![]), 1 => prop::collection::vec(twice, 0..4)];
            let lengths = prop::collection::vec(indices(m), b.min(64));
            (Just(h), prop::option::weighted(0.2, lengths), cut.prop_map(|cut| cut.concat()))
        },
        q in (near(b), Just(h_kv.saturating_mul(group)), near(n), near(d_k)),
        k in (near(b), near(h_kv), near(m), near(d_k)),
        lse in (near(b), near(h_kv.saturating_mul(group)), near(n)),
        layouts in [layouts(), layouts(), layouts()],
        mask in masks(),
        question in questions([b, h_kv.saturating_mul(group), n, m]),
    ) -> Call {
        debug_assert_eq!(q.1, h);
        Call { q: q.into(), k: k.into(), lse: lse.into(), layouts, mask, lengths, cut, question }
    }
}

/// Asks; whether there was an answer, or nothing where no such operands exist. What it is does not matter, but the
/// largest weights of rows are numbers that weights can be.
fn attempt(call: &Call) -> Option<bool> {
    let [q, k, lse] = &call.layouts;
    let with_one = |[b, h, n]: [usize; 3]| [b, h, n, 1];
    let (q, k) = (q.array(call.q), k.array(call.k));
    let lse = lse.array(with_one(call.lse));
    let (q, k) = (repeated(&q, call.q)?, repeated(&k, call.k)?);
    let lse = repeated(&lse, with_one(call.lse))?;
    let lse = lse.index_axis(Axis(3), 0);
    let mut scoring = Scoring::default().with_mask(call.mask.clone());
    scoring.key_lengths = call.lengths.as_deref();

    let Question {
        k: most,
        factors,
        spans,
        rows,
        picture,
        within,
        all,
    } = call.question.clone();
    let arrays = factors.map(|(k, dim, layout)| (k, dim, layout.array(with_one(dim))));
    let views = match &arrays {
        Some((k, dim, array)) => Some((*k, repeated(array, with_one(*dim))?)),
        None => None,
    };
    let by_product = views
        .as_ref()
        .map(|(k, view)| TopK::by_product(*k, view.index_axis(Axis(3), 0)));
    let observer = (
        (most.map(TopK::by_weight), by_product),
        (spans.map(SpanMass::new), rows.map(Rows::new), picture),
        within.map(|(rows, picture)| Within {
            rows,
            observer: (picture, DistanceMass, Received),
        }),
        all.then_some((Entropy, RowMax, Received, DistanceMass)),
    );
    let mut answered = false;
    for set in InstructionSet::available() {
        answered |= observe_on(set, (q, k, lse), &scoring, &call.cut, &observer).is_ok();
    }
    let _ = observe(q, k, lse, &scoring, &RowMax);
    if !q.is_empty() && !k.is_empty() && !lse.is_empty() {
        let (q, k) = (q.slice(s![0, 0, .., ..]), k.slice(s![0, 0, .., ..]));
        let lse = lse.slice(s![0, 0, ..]);
        let _ = observe_head(q, k, lse, &scoring.for_head(0, 0), &observer);
    }
    Some(answered)
}

#[test]
fn no_question_panics() {
    let cases = 2000;
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let answered = AtomicUsize::new(0);
    let run = runner.run(&calls(), |call| {
        answered.fetch_add(usize::from(attempt(&call) == Some(true)), Relaxed);
        Ok(())
    });
    run.expect("answers or errors");
    // That the cases are not all rejected.
    let answered = answered.into_inner();
    assert!(
        answered > cases as usize / 10,
        "{answered} of {cases} are answered"
    );
}
