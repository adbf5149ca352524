//! Observers never hold anything of size N×M.

#[path = "common/allocator.rs"]
mod allocator;

use allocator::peak_of;
use lookback_attention::observe::{
    DistanceMass, Entropy, Pool, PooledTile, Received, RowMax, Rows, Span, SpanMass, TopK,
    forward_and_observe, observe,
};
use lookback_attention::{Mask, Scoring};
use ndarray::{Array3, Array4};

/// The most that a walk with every observer over `n` tokens takes beside its inputs, on two threads; with the forward pass in it,
/// or without.
fn peak(n: usize, forward: bool) -> usize {
    let x = Array4::from_shape_fn((1, 1, n, 16), |(_, _, i, c)| {
        ((i * 7 + c * 3) % 11) as f32 / 11.0
    });
    let scoring = Scoring::default().with_mask(Mask::Window {
        window: 2048,
        offset: 0,
    });
    let lse = Array3::from_elem((1, 1, n), 8.0);
    let factors = Array3::from_elem((1, 1, n), 0.5);
    let picture = PooledTile {
        rows: 0..n,
        cols: 0..n,
        height: 256,
        width: 256,
        pool: Pool::Max,
    };
    let observer = (
        (TopK::by_weight(16), TopK::by_product(16, factors.view())),
        (Entropy, Received, RowMax, DistanceMass),
        SpanMass::new([Span::first(), Span::own(), Span::Keys(0..n / 2)]),
        (Rows::new([n / 2, n - 1]), picture),
    );
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .expect("a pool");
    let run = || match forward {
        true => forward_and_observe(x.view(), x.view(), x.view(), &scoring, &observer)
            .map(|(_, found)| found),
        false => observe(x.view(), x.view(), lse.view(), &scoring, &observer),
    };
    let (peak, found) = peak_of(|| pool.install(run));
    assert_eq!(found.expect("valid").1.0.len(), n);
    peak
}

/// The scores that are kept are a few queries', not a block's.
fn few_queries_of_many_keys() {
    let (n, m) = (200, 100_000);
    let [q, k] = [n, m].map(|rows| {
        Array4::from_shape_fn((1, 1, rows, 4), |(_, _, i, c)| {
            ((i * 7 + c * 3) % 11) as f32
        })
    });
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
    let scoring = Scoring::default().with_mask(Mask::None);
    let run = || forward_and_observe(q.view(), k.view(), k.view(), &scoring, &Entropy);
    let (peak, found) = peak_of(|| pool.expect("a pool").install(run));
    assert!(found.is_ok());
    // Packed keys and values; up to sixteen rows of scores a thread.
    let accounted = m * (4 + 16) * 4 + 2 * 16 * m * 4;
    assert!(
        peak < accounted + (2 << 20),
        "{peak} bytes, {accounted} accounted for"
    );
}

/// One test, since what others allocate meanwhile would count.
#[test]
fn peak_allocation_grows_with_n_and_not_with_its_square() {
    let n = 16_384;
    // A token's keys packed and LSE; two lists of 16 keys and values; entropy, received in f64, maximum, mean and buckets of
    // distance, three spans; two rows. And the picture.
    let linear = n * (16 + 1 + 2 * 32 + 1 + 2 + 1 + 1 + 12 + 3 + 2) * 4 + 256 * 256 * 4;
    // With the forward pass also a token's packed values and O, and two threads' scores of a block, which do not grow with n.
    let with_forward = linear + n * (16 + 16) * 4 + 2 * (2 << 20);
    for (forward, accounted) in [(false, linear), (true, with_forward)] {
        let (half, whole) = (peak(n / 2, forward), peak(n, forward));
        assert!(
            whole < accounted + (4 << 20),
            "{whole} bytes, {accounted} accounted for"
        );
        assert!(
            whole < 3 * half,
            "{half} bytes at {}, {whole} at {n}",
            n / 2
        );
    }
    few_queries_of_many_keys();
}
