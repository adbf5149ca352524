//! Bytes and header values changed at random.

use std::sync::LazyLock;

use lookback_trace::{Dtype, SaveOptions, Trace};
use proptest::prelude::*;

use crate::common::{cross_attention, file_of, of_version_2, open_bytes, sound_file};

/// Sound files of both versions, made once.
static FILES: LazyLock<[Vec<u8>; 5]> = LazyLock::new(|| {
    let options = |qk_dtype, values| SaveOptions { qk_dtype, values };
    [
        sound_file(&options(Dtype::F32, true)),
        sound_file(&options(Dtype::F16, true)),
        file_of(&of_version_2(), &options(Dtype::F32, false)),
        file_of(&of_version_2(), &options(Dtype::Bf16, false)),
        file_of(&cross_attention(), &options(Dtype::F32, false)),
    ]
});

/// Asks an opened trace everything.
fn ask(trace: &Trace) {
    let (n, m) = (trace.n(), trace.m());
    for id in trace.heads() {
        for word in 0..trace.words().len() {
            let _ = trace.word_weights(id.layer, id.head, word);
        }
        let head = trace.head(id.layer, id.head).unwrap();
        let _ = (
            head.weights(0..n, 0..m),
            head.received(),
            head.entropy_rows(),
            head.top_k_rows(3),
        );
        let _ = (head.v().map(|v| v.sum()), head.vnorm().map(|v| v.sum()));
        let _ = trace.mean_rows(id.layer, std::slice::from_ref(&(0..n)));
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
        file in 0_usize..5,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = FILES[file].clone();
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
        file in prop::sample::select(vec![0_usize, 2, 4]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), b'0'..=b'9'), 1..4),
    ) {
        let mut file = FILES[file].clone();
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
        let file = FILES[2].clone();
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
