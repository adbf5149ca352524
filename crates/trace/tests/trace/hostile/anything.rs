//! Bytes and header values changed at random.

use std::sync::LazyLock;

use lookback_trace::{Dtype, SaveOptions, Trace};
use proptest::prelude::*;

use crate::common::{open_bytes, sound_file};

/// Sound files, made once.
static FILES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    [Dtype::F32, Dtype::F16].map(|qk_dtype| {
        sound_file(&SaveOptions {
            qk_dtype,
            values: true,
        })
    })
});

/// Asks an opened trace everything.
fn ask(trace: &Trace) {
    let n = trace.n();
    for word in 0..trace.words().len() {
        let _ = trace.word_weights(0, 0, word);
    }
    for layer in 0..trace.layer_count() {
        for head in 0..trace.head_count(layer) {
            let head = trace.head(layer, head).unwrap();
            let _ = (
                head.weights(0..n, 0..n),
                head.received(),
                head.entropy_rows(),
                head.top_k_rows(3),
            );
            let _ = head.v().map(|v| v.sum());
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let _ = trace.save(
        folder.path().join("again"),
        &SaveOptions {
            qk_dtype: Dtype::F16,
            values: false,
        },
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Whatever is changed in a file, it is refused, or it answers.
    #[test]
    fn bytes_changed_anywhere(
        f16 in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = FILES[usize::from(f16)].clone();
        for (at, value) in changes {
            *at.get_mut(&mut file) = value;
        }
        if let Ok(trace) = open_bytes(&file) {
            ask(&trace);
        }
    }

    /// Digits are where a header hurts: each change leaves it sound as JSON.
    #[test]
    fn digits_changed_in_the_header(
        changes in prop::collection::vec((any::<prop::sample::Index>(), b'0'..=b'9'), 1..4),
    ) {
        let mut file = FILES[0].clone();
        let len = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        let mut digits: Vec<&mut u8> = file[8..8 + len].iter_mut().filter(|b| b.is_ascii_digit()).collect();
        for (at, digit) in changes {
            **at.get_mut(&mut digits) = digit;
        }
        if let Ok(trace) = open_bytes(&file) {
            ask(&trace);
        }
    }

    /// Parts taken out or doubled.
    #[test]
    fn parts_moved(from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()) {
        let file = FILES[0].clone();
        let (from, to) = (from.index(file.len()), to.index(file.len()));
        let part = file[from.min(to)..from.max(to)].to_vec();
        let mut shorter = file.clone();
        shorter.drain(from.min(to)..from.max(to));
        let mut longer = file;
        let at = at.index(longer.len());
        longer.splice(at..at, part);
        for file in [shorter, longer] {
            if let Ok(trace) = open_bytes(&file) {
                ask(&trace);
            }
        }
    }
}
