//! Observers never hold anything of size N×M.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lookback_attention::observe::{DistanceMass, Entropy, Received, TopK, observe};
use lookback_attention::{Mask, Scoring};
use ndarray::{Array3, Array4};

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

/// The most that a walk with observers over `n` tokens takes beside its inputs.
fn peak(n: usize) -> usize {
    let x = Array4::from_shape_fn((1, 1, n, 16), |(_, _, i, c)| {
        ((i * 7 + c * 3) % 11) as f32 / 11.0
    });
    let scoring = Scoring::default().with_mask(Mask::Window {
        window: 2048,
        offset: 0,
    });
    let lse = Array3::from_elem((1, 1, n), 8.0);
    let observer = (TopK::by_weight(16), Entropy, Received, DistanceMass);
    let before = IN_USE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let found = observe(x.view(), x.view(), lse.view(), &scoring, &observer).expect("valid");
    assert_eq!(found.1.len(), n);
    PEAK.load(Relaxed) - before
}

#[test]
fn peak_allocation_grows_with_n_and_not_with_its_square() {
    let n = 16_384;
    let (half, whole) = (peak(n / 2), peak(n));
    // A token's keys packed, LSE, top 16 of keys and values, entropy, received in f64, and mean and buckets of distance.
    let linear = n * (16 + 1 + 16 * 2 + 1 + 2 + 1 + 12) * 4;
    assert!(
        whole < linear + (4 << 20),
        "{whole} bytes, {linear} accounted for"
    );
    assert!(
        whole < 3 * half,
        "{half} bytes at {}, {whole} at {n}",
        n / 2
    );
}
