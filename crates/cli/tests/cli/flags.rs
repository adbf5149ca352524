//! Every flag of every command does what its help says.

use std::path::Path;

use lookback_heads::example::Example;
use lookback_trace::SaveOptions;
use serde_json::{Value, json};

use crate::one_input::{READERS, TEXT, run_on};
use crate::program::{Run, folder, lookback, tiny};

/// Commands whose help is read, each as it is typed.
const COMMANDS: [&[&str]; 21] = [
    &[],
    &["look"],
    &["explain"],
    &["who"],
    &["heads"],
    &["stats"],
    &["importance"],
    &["attribute"],
    &["rollout"],
    &["compare"],
    &["trace"],
    &["trace", "info"],
    &["generate"],
    &["map"],
    &["export"],
    &["serve"],
    &["learn"],
    &["models"],
    &["bench", "model"],
    &["bench", "attention"],
    &["bench", "serve"],
];

fn run(home: &Path, arguments: &[&str]) -> Run {
    Run::of(lookback(home).args(arguments))
}

/// On the tiny model.
fn on_tiny(home: &Path, arguments: &[&str]) -> Run {
    let mut command = lookback(home);
    command.args(arguments).arg("--model").arg(tiny("tied"));
    Run::of(&mut command)
}

/// The flags that a command's help lists.
fn flags(help: &str) -> impl Iterator<Item = &str> {
    let listed = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let long = line.split_once("--").filter(|(before, _)| {
            before.is_empty() || (before.starts_with('-') && before.ends_with(", "))
        });
        let end = |c: char| !(c.is_ascii_lowercase() || c == '-');
        Some(long?.1.split(end).next().unwrap_or_default())
    });
    listed.filter(|flag| !flag.is_empty())
}

/// All sources of the program's tests.
fn sources(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_flag_of_every_command_has_a_test() {
    let home = folder();
    let mut tests = String::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"),
        &mut tests,
    );
    let mut seen = 0;
    for command in COMMANDS {
        let help = run(home.path(), &[command, &["--help"]].concat()).ok();
        for flag in flags(&help) {
            seen += 1;
            let named = [format!("\"--{flag}\""), format!("\"--{flag}=")];
            let named = named.iter().any(|name| tests.contains(name.as_str()));
            // Its short form is what is typed.
            let short = flag == "output" && tests.contains("\"-o\"");
            assert!(named || short, "no test names --{flag} of {command:?}");
        }
    }
    assert!(seen > 200, "{seen} flags");
}

#[test]
fn help_and_version_are_printed_and_nothing_else() {
    let home = folder();
    for flag in ["--version", "-V"] {
        let version = run(home.path(), &[flag]).ok();
        assert_eq!(version, format!("lookback {}\n", env!("CARGO_PKG_VERSION")));
    }
    for command in COMMANDS {
        let help = run(home.path(), &[command, &["-h"]].concat()).ok();
        assert!(help.contains("Usage: lookback"), "{command:?}: {help}");
    }
}

/// A file holds the same text as the argument.
#[test]
fn every_reader_takes_a_file() {
    let home = folder();
    let text = home.path().join("text.txt");
    std::fs::write(&text, format!("\u{feff}{TEXT}\n")).unwrap();
    let text = text.to_str().unwrap();
    for reader in READERS {
        let of_argument = run_on(home.path(), reader, &[TEXT], &["--json"]).json();
        let of_file = run_on(home.path(), reader, &["--file", text], &["--json"]).json();
        let mut answers = [of_argument, of_file];
        for answer in &mut answers {
            remove(answer, &["seconds", "prefill_seconds", "decode_seconds"]);
        }
        assert_eq!(answers[0], answers[1], "{reader:?}");
    }
}

/// What takes time takes another each time.
fn remove(answer: &mut Value, keys: &[&str]) {
    if let Value::Object(object) = answer {
        object.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

#[test]
fn every_reader_cuts_a_text_that_is_too_long_only_when_it_may() {
    let home = folder();
    // One token a letter: more than the model's context of 256.
    let long = format!("{TEXT} {}", "a ".repeat(300));
    for reader in READERS {
        let refused = run_on(home.path(), reader, &[&long], &[]);
        assert_eq!(refused.code, Some(1), "{reader:?}");
        assert!(
            refused.stderr.contains("or cut it with --truncate"),
            "{}",
            refused.stderr
        );
        let cut = run_on(home.path(), reader, &[&long], &["--truncate"]);
        let note = "the text is cut to its first 256 of";
        assert!(cut.stderr.contains(note), "{reader:?}: {}", cut.stderr);
        // The variants of what `who` is asked may be a token longer than the context again.
        if reader[0] != "who" {
            cut.ok();
        }
    }
}

/// Ablated to their mean output, heads are not what they are with none.
#[test]
fn heads_are_ablated_to_their_mean_output_over_a_file() {
    let home = folder();
    let texts = home.path().join("texts.txt");
    std::fs::write(&texts, "Ann met Tom.\n\nThe cat sat on the mat.\n").unwrap();
    let texts = texts.to_str().unwrap();
    // `importance` ablates one head after the other itself, and takes the reference alone where it takes one.
    let takes = |reader: &&&[&str]| reader[0] != "importance";
    for reader in READERS.iter().filter(takes) {
        // A head's own layer takes its input from before it.
        let later = |part: &&'static str| if *part == "0.1" { "1.0" } else { part };
        let reader: Vec<&str> = reader.iter().map(later).collect();
        let ablated = ["--ablate", "0.1", "--json"];
        let mean = [&ablated[..], &["--mean-over", texts]].concat();
        let [zero, mean] = [&ablated[..], &mean[..]].map(|more| {
            let answer = run_on(home.path(), &reader, &[TEXT], more).json();
            let file = reader.iter().find_map(|part| part.strip_prefix("FILE"));
            let file = file.map(|ending| home.path().join(format!("{}{ending}", reader[0])));
            (answer, file.map(|file| std::fs::read(file).unwrap()))
        });
        assert_ne!(zero, mean, "{reader:?}");
    }
    let more = ["--mean-over", texts];
    let wrong = run_on(home.path(), READERS[0], &[TEXT], &more);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
}

/// A list has as many entries as are asked for.
#[test]
fn lists_are_as_long_as_asked() {
    let home = folder();
    let lines = |command: &[&str], top: &str| {
        let arguments = [command, &[TEXT, "--top", top]].concat();
        on_tiny(home.path(), &arguments).ok().lines().count()
    };
    for command in [
        &["look"][..],
        &["heads", "--no-probes", "--sort", "sink"],
        &["importance"],
        &["attribute", "--for", "the", "--against", "abc"],
        &["rollout"],
        &["compare", "--with", "abc"],
    ] {
        let [few, more] = ["1", "4"].map(|top| lines(command, top));
        assert!(few < more, "{command:?}: {few} and {more} lines");
    }
}

#[test]
fn lines_are_as_wide_as_asked() {
    let home = folder();
    for command in [&["look"][..], &["explain", "--head", "0.1"]] {
        for width in ["30", "60"] {
            let arguments = [command, &[TEXT, "--width", width, "--color", "never"]].concat();
            let text = on_tiny(home.path(), &arguments).ok();
            // The hat of X̂ takes no column.
            let columns = |line: &str| line.chars().filter(|c| *c != '\u{302}').count();
            let widest = text.lines().map(columns).max();
            let asked: usize = width.parse().unwrap();
            assert!(widest <= Some(asked), "{command:?} {width}: {widest:?}");
        }
    }
    let entries = |count: &str| {
        let arguments = [
            "explain",
            TEXT,
            "--head",
            "0.1",
            "--json",
            "--entries",
            count,
        ];
        let answer = on_tiny(home.path(), &arguments).json();
        answer["steps"][0]["matrices"][0]["columns"]
            .as_array()
            .map(Vec::len)
    };
    assert!(entries("2") < entries("6"), "{:?}", entries("6"));
}

#[test]
fn a_seed_gives_the_same_text_and_the_same_significance_again() {
    let home = folder();
    let generated = |seed: &str| {
        let sampled = [
            "generate",
            TEXT,
            "--temperature",
            "2",
            "--top-p",
            "0.9",
            "--tokens",
            "12",
        ];
        let arguments = [&sampled[..], &["--seed", seed, "--json"]].concat();
        on_tiny(home.path(), &arguments).json()["tokens"].clone()
    };
    assert_eq!(generated("7"), generated("7"));
    assert_ne!(generated("7"), generated("8"));
    let set = home.path().join("set.jsonl");
    let sentences = [
        "learn",
        "--sentences",
        set.to_str().unwrap(),
        "--draws",
        "2",
    ];
    run(home.path(), &sentences).ok();
    let who = |seed: &str| {
        let arguments = [
            "who",
            "--set",
            set.to_str().unwrap(),
            "--seed",
            seed,
            "--json",
        ];
        on_tiny(home.path(), &arguments).json()
    };
    assert_eq!(who("7"), who("7"));
    assert_ne!(who("7"), who("8"));
}

#[test]
fn sentences_are_of_the_split_and_as_many_as_asked() {
    let home = folder();
    let write = |name: &str, more: &[&str]| -> Vec<Value> {
        let file = home.path().join(name);
        let sentences = ["learn", "--sentences", file.to_str().unwrap()];
        run(home.path(), &[&sentences[..], more].concat()).ok();
        let text = std::fs::read_to_string(file).unwrap();
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    };
    let templates = write("a.jsonl", &["--draws", "2"]);
    assert_eq!(templates.len(), 16);
    assert!(
        templates
            .iter()
            .all(|one| one["group"] == "held-out templates")
    );
    let names = write("b.jsonl", &["--draws", "3", "--split", "held-out-names"]);
    assert_eq!(names.len(), 24);
    assert!(names.iter().all(|one| one["group"] == "held-out names"));
    assert_eq!(write("c.jsonl", &["--draws", "2", "--outcomes"]).len(), 32);
}

/// A study takes minutes: begun and interrupted, it keeps what it has where it was asked to.
#[cfg(target_os = "linux")]
#[test]
fn a_quick_study_is_kept_in_its_folder() {
    let home = folder();
    let study = home.path().join("study");
    let mut command = lookback(home.path());
    command
        .args(["learn", "--quick", "--json", "--folder"])
        .arg(&study);
    let mut process = command
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while !study.is_dir() {
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(process.try_wait().unwrap().is_none(), "it ended by itself");
    }
    let id = process.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(sent.unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(130));
    assert!(!home.path().join("lookback-study").exists());
}

#[test]
fn a_map_s_cells_hold_the_largest_weight_or_the_mean() {
    let home = folder();
    let file = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    // More tokens than a map has cells along a side.
    let example = Example {
        text: "to ".repeat(600),
        layers: 1,
        heads: 1,
        ..Example::default()
    };
    let trace = file("t.safetensors");
    let saved = example
        .trace()
        .save(Path::new(&trace), &SaveOptions::default());
    saved.unwrap();
    let map = |name: &str, more: &[&str]| {
        let path = file(name);
        let arguments = ["map", "--trace", &trace, "--head", "0.0", "-o", &path];
        run(home.path(), &[&arguments[..], more].concat()).ok();
        std::fs::read_to_string(path).unwrap()
    };
    let max = map("max.svg", &["--pool", "max"]);
    let mean = map("mean.svg", &["--pool", "mean"]);
    assert_eq!(max, map("plain.svg", &[]));
    assert!(max.contains("each cell is the max of 3 × 3 weights"));
    assert!(mean.contains("each cell is the mean of 3 × 3 weights"));
    let arguments = ["map", "--trace", &trace, "--head", "0.0", "-o", "x.svg"];
    let wrong = run(home.path(), &[&arguments[..], &["--pool", "sum"]].concat());
    assert_eq!(wrong.code, Some(2));
}

/// An earlier version kept no text of the prefix, whose token is then called what it is.
#[test]
fn a_trace_without_the_text_of_its_prefix_says_prefix() {
    let home = folder();
    let file = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let trace = file("t.safetensors");
    let example = Example::default().trace();
    assert!(example.meta().prefix_texts().is_empty() && example.meta().prefix_tokens == 1);
    example
        .save(Path::new(&trace), &SaveOptions::default())
        .unwrap();
    let run = |arguments: &[&str]| {
        let run = run(home.path(), arguments);
        let said = format!("{}{}", run.stderr, run.stdout);
        run.ok();
        said
    };
    let (map, page) = (file("map.svg"), file("page.html"));
    let look = run(&["look", "--trace", &trace]);
    assert!(look.contains("The prefix acts as the sink"), "{look}");
    let said = [
        look,
        run(&["map", "--trace", &trace, "--head", "1.1", "-o", &map]),
        run(&["export", "--trace", &trace, "-o", &page]),
    ];
    for said in &said {
        assert!(said.contains(" 1 of them the prefix"), "{said}");
        assert!(
            !said.contains("[0]") && !said.contains("prefix prefix"),
            "{said}"
        );
    }
    let map = std::fs::read_to_string(map).unwrap();
    assert!(map.contains(">prefix<") && !map.contains("[0]"));
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("\"prefix\":[\"prefix\"]"));
}

#[test]
fn an_exported_page_keeps_all_heads_when_asked() {
    let home = folder();
    let file = home.path().join("page.html");
    let file = file.to_str().unwrap();
    let export = ["export", TEXT, "-o", file, "--json"];
    let all = on_tiny(home.path(), &[&export[..], &["--all"]].concat()).json();
    assert!(all["left_out"].is_null());
    let again = on_tiny(
        home.path(),
        &[&export[..], &["--force", "--head", "0.1"]].concat(),
    )
    .json();
    assert!(again["left_out"].as_str().unwrap().contains("1 of 8 heads"));
    let both = [&export[..], &["--force", "--all", "--head", "0.1"]].concat();
    assert_eq!(on_tiny(home.path(), &both).code, Some(2));
}

#[test]
fn two_models_are_compared_on_one_text() {
    let home = folder();
    let other = tiny("quantised/model.gguf");
    let other = other.to_str().unwrap();
    let arguments = [
        "compare",
        TEXT,
        "--with-model",
        other,
        "--by",
        "entropy",
        "--json",
    ];
    let compared = on_tiny(home.path(), &arguments);
    // Of one shape they are compared; of different ones the command says which they have.
    match compared.code {
        Some(0) => {
            let answer = compared.json();
            assert_eq!(answer["by"], "entropy");
            assert_ne!(answer["first"]["model"], answer["second"]["model"]);
        }
        _ => {
            compared.refused(&["layers"]);
        }
    }
    let itself = tiny("tied");
    let itself = itself.to_str().unwrap();
    let same = on_tiny(
        home.path(),
        &["compare", TEXT, "--with-model", itself, "--json"],
    )
    .json();
    assert_eq!(same["first"]["tokens"], same["second"]["tokens"]);
}

#[test]
fn an_instruction_set_holds_for_every_command() {
    let home = folder();
    let bench = ["bench", "model", "--lengths", "16", "--runs", "1", "--json"];
    let machine = on_tiny(
        home.path(),
        &[&bench[..], &["--instruction-set", "portable"]].concat(),
    );
    assert_eq!(machine.json()["machine"]["instruction_set"], "portable");
    let mut by_variable = lookback(home.path());
    by_variable.args(bench).arg("--model").arg(tiny("tied"));
    by_variable.env("LOOKBACK_INSTRUCTION_SET", "portable");
    let machine = Run::of(&mut by_variable).json();
    assert_eq!(machine["machine"]["instruction_set"], "portable");
    on_tiny(home.path(), &["look", TEXT, "--instruction-set", "abacus"]).refused(&["abacus"]);
}

/// A few milliseconds each: what is measured is not looked at.
#[test]
fn benchmarks_measure_what_is_asked() {
    let home = folder();
    let attention = [
        "bench",
        "attention",
        "--quick",
        "--threads",
        "1",
        "--seconds",
        "0.01",
        "--json",
    ];
    let portable = [&attention[..], &["--instruction-set", "portable"]].concat();
    let measured = run(home.path(), &portable).json();
    assert_eq!(measured["threads"], 1);
    assert!(!measured["cases"].as_array().unwrap().is_empty());
    let wrong = run(
        home.path(),
        &["bench", "attention", "--instruction-set", "abacus"],
    );
    assert_ne!(wrong.code, Some(0));
    let model = on_tiny(home.path(), &["bench", "model", "--quick", "--json"]).json();
    assert_eq!(model["runs"], 1);
    let lengths = ["bench", "model", "--lengths", "32", "--runs", "2", "--json"];
    let model = on_tiny(home.path(), &lengths).json();
    assert_eq!(
        (&model["runs"], &model["prefill"][0]["length"]),
        (&json!(2), &json!(32))
    );
    let serve = [
        "bench",
        "serve",
        "--lengths",
        "64",
        "--tiles",
        "2",
        "--json",
    ];
    let served = on_tiny(home.path(), &serve).json();
    let tokens = served["served"][0]["tokens"].as_u64().unwrap();
    assert!(tokens <= 64 && tokens > 48, "{tokens}");
}

#[test]
fn the_prefix_of_every_reader_can_be_named() {
    let home = folder();
    for reader in READERS {
        let note = run_on(home.path(), reader, &[TEXT], &["--prefix", "Ann says: "]);
        let all = format!("{}{}", note.stdout, note.stderr);
        assert!(all.contains("Ann says"), "{reader:?}: {all}");
    }
}

#[test]
fn heads_are_drawn_in_dark_and_by_the_scores_that_are_asked_for() {
    let home = folder();
    let draw = |name: &str, more: &[&str]| {
        let path = home.path().join(name);
        let arguments = ["heads", TEXT, "--no-probes", "-o", path.to_str().unwrap()];
        on_tiny(home.path(), &[&arguments[..], more].concat()).ok();
        std::fs::read_to_string(path).unwrap()
    };
    let light = draw("light.svg", &["--scores", "entropy"]);
    let dark = draw("dark.svg", &["--scores", "entropy", "--dark"]);
    assert!(light.contains(">entropy<") && !light.contains(">sink<"));
    assert_ne!(light, dark);
    let sorted = on_tiny(
        home.path(),
        &["heads", TEXT, "--no-probes", "--sort", "sink", "--json"],
    )
    .json();
    let sinks: Vec<f64> = sorted["heads"]
        .as_array()
        .unwrap()
        .iter()
        .map(|head| head["sink"].as_f64().unwrap())
        .collect();
    assert!(sinks.is_sorted_by(|a, b| a >= b), "{sinks:?}");
}
