//! The backward pass never holds anything of size N×M.

#[path = "common/allocator.rs"]
mod allocator;

use allocator::peak_of;
use lookback_attention::backward::{Inputs, Options, backward};
use lookback_attention::forward::forward;
use lookback_attention::{Mask, Scoring};
use ndarray::Array4;

/// The most that a backward pass over `n` tokens takes beside its inputs, on two threads.
fn peak(n: usize) -> usize {
    let x = Array4::from_shape_fn((1, 1, n, 16), |(_, _, i, c)| {
        ((i * 7 + c * 3) % 11) as f32 / 11.0
    });
    let scoring = Scoring::default().with_mask(Mask::Window {
        window: 4096,
        offset: 0,
    });
    let out = forward(x.view(), x.view(), x.view(), &scoring).expect("valid");
    let inputs = Inputs {
        q: x.view(),
        k: x.view(),
        v: x.view(),
        o: out.o.view(),
        lse: out.lse.view(),
        d_o: x.view(),
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .expect("a pool");
    let run = || pool.install(|| backward(&inputs, &Options::default(), &scoring));
    let (peak, gradients) = peak_of(run);
    assert_eq!(gradients.expect("valid").dq.dim(), x.dim());
    peak
}

#[test]
fn peak_allocation_grows_with_n_and_not_with_its_square() {
    let n = 16_384;
    let (half, whole) = (peak(n / 2), peak(n));
    assert!(
        whole < 3 * half,
        "{half} bytes at {}, {whole} at {n}",
        n / 2
    );
    // Three gradients; dQ once more, in parts, which overlap where a window reaches over their border; and for each of
    // two workers q and dO packed twice and sums for dQ: 16 values a token each; and what a worker needs beside.
    let linear = n * 16 * 4 * (3 + 3 + 2 * 5);
    assert!(
        whole < linear + (4 << 20),
        "{whole} bytes, {linear} accounted for"
    );
    assert!(
        whole < n * n * 4 / 30,
        "an N×M buffer would be {}",
        n * n * 4
    );
}
