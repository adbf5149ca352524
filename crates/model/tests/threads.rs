//! Same input, same machine: same bits, whatever the number of threads. The pools are as large as a process is told
//! when it starts, so each number of threads gets a process.

mod common;

use std::process::Command;

use common::{data, load};
use lookback_model::{Logits, Model, PrefillOptions, WeightsKind};

/// Says that this process is to compute, and how many threads it has.
const THREADS: &str = "LOOKBACK_TEST_THREADS";

/// A digest of bits (FNV-1a over 32-bit words): any changed bit changes it.
fn digest<'a>(values: impl IntoIterator<Item = &'a f32>) -> u64 {
    values
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, value| {
            (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3)
        })
}

/// Digests of all that a run gives, for `n` tokens.
fn run(model: &Model, n: usize) -> String {
    let ids: Vec<u32> = (0..n as u32).map(|i| i * 37 % 80).collect();
    let options = PrefillOptions {
        logits: Logits::All,
        trace: true,
        keep_v: true,
        cache: true,
    };
    let read = model.prefill(&ids, &options).unwrap();
    let mut cache = read.cache.unwrap();
    let decoded = model.decode(5, &mut cache).unwrap();
    let of_layers: Vec<_> = read
        .layers
        .iter()
        .map(|layer| {
            let heads = [&layer.q, &layer.k, layer.v.as_ref().unwrap()];
            let rows = [&layer.lse, layer.vnorm.as_ref().unwrap()];
            heads
                .map(digest)
                .iter()
                .chain(&rows.map(digest))
                .fold(0, |a, b| a ^ b.rotate_left(7))
        })
        .collect();
    format!(
        "{:x} {:x} {of_layers:x?}",
        digest(&read.logits),
        digest(&decoded)
    )
}

#[expect(clippy::print_stdout, reason = "it is read by the process that asked")]
#[test]
fn compute_where_asked_to() {
    if std::env::var_os(THREADS).is_none() {
        return;
    }
    for name in ["k-quants", "quantised", "grouped"] {
        let path = data("tiny").join(name).join("model.gguf");
        for kind in [WeightsKind::F32, WeightsKind::Quantized] {
            let model = load(&path, kind);
            for n in [3, 60, 200] {
                println!("bits of {name} {kind:?} {n}: {}", run(&model, n));
            }
        }
    }
}

fn computed(threads: usize) -> Vec<String> {
    let threads = threads.to_string();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "compute_where_asked_to", "--nocapture"])
        .env(THREADS, &threads)
        .env("RAYON_NUM_THREADS", &threads)
        .env("CANDLE_NUM_THREADS", &threads)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("bits of"));
    lines.map(str::to_owned).collect()
}

#[test]
fn one_two_and_three_threads_give_the_same_bits() {
    let one = computed(1);
    assert_eq!(one.len(), 3 * 2 * 3);
    for threads in [2, 3] {
        assert_eq!(computed(threads), one, "{threads} threads");
    }
}
