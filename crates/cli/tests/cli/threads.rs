//! The same input gives the same bits, whatever the number of threads: every command's answer and file.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::program::{Run, folder, lookback, tiny};

const TEXT: &str = "Tom met Bob at the harbour. Tom works hard, Bob does not. Yet he wins.";

/// Commands that compute something of a text, each with what it is asked; `@OUT@` is a folder for what it writes, `@TRACE@` a trace.
const ASKED: [&[&str]; 17] = [
    &["look", TEXT],
    &["look", "--trace", "@TRACE@"],
    &["map", TEXT, "--head", "1.1", "-o", "@OUT@/map.svg"],
    &["explain", TEXT, "--head", "1.0"],
    &["who", TEXT, "--word", "he", "--candidates", "Tom,Bob"],
    &["heads", TEXT],
    &["stats", TEXT, "-o", "@OUT@/heads.csv"],
    &["stats", TEXT, "--rows", "-o", "@OUT@/rows.parquet"],
    &["rollout", TEXT, "--word", "he"],
    &["importance", TEXT],
    &["attribute", TEXT, "--for", "the", "--against", "abc"],
    &["compare", TEXT, "--with", "Bob met Tom.", "--by", "entropy"],
    &["generate", TEXT, "--tokens", "5"],
    &["generate", TEXT, "--tokens", "5", "--weights", "quantized"],
    &["trace", TEXT, "-o", "@OUT@/f32.safetensors", "--values"],
    &[
        "trace",
        TEXT,
        "-o",
        "@OUT@/f16.safetensors",
        "--dtype",
        "f16",
    ],
    &["export", TEXT, "-o", "@OUT@/page.html"],
];

/// Commands that compute nothing of a text, or measure times: `learn` has tests of its own. `fill` wants another model, and is
/// what `look` computes but for its last product.
const OTHER: [&str; 6] = ["bench", "fill", "learn", "models", "serve", "help"];

#[test]
fn every_command_is_asked_or_left_out_by_name() {
    let home = folder();
    let help = Run::of(lookback(home.path()).arg("--help")).ok();
    let commands = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect::<BTreeSet<_>>();
    let known = ASKED.iter().map(|asked| asked[0]).chain(OTHER).collect();
    assert_eq!(commands, known);
}

/// Everything that a run gives: its answer without times, and the bytes of its files.
fn answer(home: &Path, arguments: &[&str], threads: &str) -> (Value, Vec<(String, Vec<u8>)>) {
    // The same path in every run: answers name it.
    let out = home.join("out");
    std::fs::create_dir(&out).unwrap();
    let trace = home.join("trace.safetensors");
    let mut command = lookback(home);
    command
        .env("RAYON_NUM_THREADS", threads)
        .env("CANDLE_NUM_THREADS", threads);
    for argument in arguments {
        let argument = argument.replace("@OUT@", out.to_str().unwrap());
        command.arg(argument.replace("@TRACE@", trace.to_str().unwrap()));
    }
    if !arguments.contains(&"--trace") {
        command.arg("--model").arg(tiny("tied"));
    }
    let mut answer = Run::of(command.arg("--json")).json();
    without_times(&mut answer);
    let mut files: Vec<_> = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    std::fs::remove_dir_all(&out).unwrap();
    (answer, files)
}

fn without_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !key.contains("seconds"));
            fields.values_mut().for_each(without_times);
        }
        Value::Array(values) => values.iter_mut().for_each(without_times),
        _ => {}
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let home = folder();
    let trace = home.path().join("trace.safetensors");
    let mut command = lookback(home.path());
    command.args(["trace", TEXT, "-o"]).arg(&trace);
    Run::of(command.arg("--model").arg(tiny("tied"))).ok();
    for arguments in ASKED {
        let one = answer(home.path(), arguments, "1");
        for threads in ["2", "3", "7"] {
            let other = answer(home.path(), arguments, threads);
            assert!(one == other, "{arguments:?} on {threads} threads");
        }
    }
}
