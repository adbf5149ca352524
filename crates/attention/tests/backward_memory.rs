//! The backward pass never holds anything of size N×M.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lookback_attention::backward::{Inputs, Options, backward};
use lookback_attention::forward::forward;
use lookback_attention::{Mask, Scoring};
use ndarray::Array4;

/// The system's allocator, counting the bytes that are in use and the most that ever were.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged; the counters touch no memory of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(
            IN_USE.fetch_add(layout.size(), Relaxed) + layout.size(),
            Relaxed,
        );
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: `at` came from `alloc` above with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
    let before = IN_USE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let gradients = pool
        .install(|| backward(&inputs, &Options::default(), &scoring))
        .expect("valid");
    assert_eq!(gradients.dq.dim(), x.dim());
    PEAK.load(Relaxed) - before
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
