//! The forward pass never holds anything of size N×M.

#[path = "common/allocator.rs"]
mod allocator;

use allocator::peak_of;
use lookback_attention::forward::forward;
use lookback_attention::{Mask, Scoring};
use ndarray::Array4;

/// The most that a forward pass over `n` tokens takes beside its inputs.
fn peak(n: usize) -> usize {
    let x = Array4::from_shape_fn((1, 1, n, 16), |(_, _, i, c)| {
        ((i * 7 + c * 3) % 11) as f32 / 11.0
    });
    let scoring = Scoring::default().with_mask(Mask::Window {
        window: 4096,
        offset: 0,
    });
    let (peak, out) = peak_of(|| forward(x.view(), x.view(), x.view(), &scoring).expect("valid"));
    assert_eq!(out.lse.len(), n);
    peak
}

#[test]
fn peak_allocation_grows_with_n_and_not_with_its_square() {
    let n = 16_384;
    // The output, and keys and values packed: 16 + 1 and 2·16 values a token; and what a worker needs.
    let linear = n * (16 + 1 + 2 * 16) * 4;
    let (half, whole) = (peak(n / 2), peak(n));
    assert!(
        whole < linear + (2 << 20),
        "{whole} bytes, {linear} accounted for"
    );
    assert!(
        whole < 3 * half,
        "{half} bytes at {}, {whole} at {n}",
        n / 2
    );
    assert!(
        whole < n * n * 4 / 100,
        "an N×M buffer would be {}",
        n * n * 4
    );
}
