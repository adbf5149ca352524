//! Every command reads a text as the same tokens, behind the same prefix, and says so.

use std::path::Path;

use serde_json::Value;

use crate::program::{Run, folder, lookback, tiny};

const TEXT: &str = "Tom met Ann. Yet he left.";

/// Each command that reads a text, with what else it needs; `FILE` is a file of its own.
const READERS: [&[&str]; 13] = [
    &["look"],
    &["explain", "--head", "0.1"],
    &["who", "--word", "he"],
    &["heads", "--no-probes"],
    &["stats", "-o", "FILE.csv"],
    &["importance", "--head", "0.1"],
    &["attribute", "--for", "the", "--against", "abc"],
    &["rollout"],
    &["compare", "--with", TEXT],
    &["trace", "-o", "FILE.safetensors"],
    &["generate", "--tokens", "1"],
    &["map", "--head", "0.1", "-o", "FILE.svg"],
    &["export", "-o", "FILE.html"],
];

fn run(home: &Path, reader: &[&str], text: &str, more: &[&str]) -> Run {
    let file = |argument: &&str| match argument.strip_prefix("FILE") {
        Some(ending) => {
            let file = home.join(format!("{}{ending}", reader[0]));
            file.to_str().unwrap().to_owned()
        }
        None => (*argument).to_owned(),
    };
    let mut command = lookback(home);
    command.args(reader.iter().map(file)).arg(text);
    if reader.contains(&"-o") {
        command.arg("--force");
    }
    command.arg("--model").arg(tiny("tied")).args(more);
    Run::of(&mut command)
}

/// Tokens, how many of them are the prefix, and the prefix's text where the answer has it.
fn input(answer: &Value) -> (usize, usize, Option<String>) {
    let length = |value: &Value| match value {
        Value::Array(list) => Some(list.len()),
        number => number.as_u64().map(|number| number as usize),
    };
    let side = match &answer["first"] {
        Value::Null => answer,
        first => first,
    };
    let rows = &answer["rows"][0]["tokens"];
    let tokens = [&side["prompt_tokens"], &side["tokens"], rows];
    let tokens = tokens.into_iter().find_map(length).expect("tokens");
    let marked = answer["tokens"].as_array().map(|tokens| {
        let of_prefix = tokens.iter().filter(|token| token["prefix"] == true);
        of_prefix.count()
    });
    let prefix_tokens = side["prefix_tokens"].as_u64().map(|count| count as usize);
    let text = side["prefix"].as_str().or(answer["sink"]["text"].as_str());
    (
        tokens,
        prefix_tokens.or(marked).unwrap_or(0),
        text.map(str::to_owned),
    )
}

#[test]
fn every_command_reads_the_same_tokens_behind_the_same_prefix() {
    let home = folder();
    let prefix = {
        let answer = run(
            home.path(),
            &["generate", "--tokens", "1"],
            TEXT,
            &["--json"],
        )
        .json();
        answer["prefix"].as_str().unwrap().to_owned()
    };
    assert!(!prefix.is_empty());
    for (more, expected) in [
        (&[][..], Some((1, prefix.clone()))),
        (&["--prefix", "none"], None),
        (&["--prefix", "bos"], Some((1, prefix.clone()))),
    ] {
        let mut tokens = None;
        for reader in READERS {
            if reader[0] == "who" {
                continue;
            }
            let arguments = [more, &["--json"]].concat();
            let answer = run(home.path(), reader, TEXT, &arguments).json();
            let (count, of_prefix, text) = input(&answer);
            assert_eq!(*tokens.get_or_insert(count), count, "{reader:?} {more:?}");
            match &expected {
                Some((prefix_tokens, prefix)) => {
                    assert_eq!(of_prefix, *prefix_tokens, "{reader:?} {more:?}");
                    if reader[0] != "trace" && reader[0] != "explain" {
                        assert_eq!(text.as_ref(), Some(prefix), "{reader:?}");
                    }
                }
                None => {
                    assert_eq!(of_prefix, 0, "{reader:?} {more:?}");
                    assert!(text.is_none_or(|text| text.is_empty()), "{reader:?}");
                }
            }
        }
    }
}

/// Without JSON the prefix is named too: by `look` in its answer, by all others in a note.
#[test]
fn every_command_names_the_prefix() {
    let home = folder();
    for reader in READERS {
        let named = run(home.path(), reader, TEXT, &[]);
        let all = format!("{}{}", named.stdout, named.stderr);
        if reader[0] != "look" {
            let notes = named.stderr.matches("1 of them the prefix ").count();
            assert_eq!(notes, 1, "{reader:?}: {all}");
        }
        let none = run(home.path(), reader, TEXT, &["--prefix", "none"]);
        let all = format!("{}{}", none.stdout, none.stderr);
        assert!(
            all.contains("no prefix") || all.contains("acts as"),
            "{reader:?}: {all}"
        );
    }
}

#[test]
fn a_prefix_that_the_text_begins_with_is_there_once() {
    let home = folder();
    let prefix = {
        let answer = run(
            home.path(),
            &["generate", "--tokens", "1"],
            TEXT,
            &["--json"],
        )
        .json();
        answer["prefix"].as_str().unwrap().to_owned()
    };
    let spelt_out = format!("{prefix}{TEXT}");
    for reader in [READERS[0], READERS[7], READERS[10]] {
        let plain = run(home.path(), reader, TEXT, &["--json"]);
        let twice = run(home.path(), reader, &spelt_out, &["--json"]);
        let note = format!("the text already begins with {prefix}; it is not added again");
        assert!(twice.stderr.contains(&note), "{}", twice.stderr);
        assert!(!plain.stderr.contains("already begins"));
        assert_eq!(input(&plain.json()), input(&twice.json()));
    }
}

/// What is named that the text or the model does not have is an error, and nothing is written.
#[test]
fn names_are_looked_up_before_the_text_is_read() {
    let home = folder();
    let cases: [(&[&str], &str); 7] = [
        (&["look", "--word", "he#999"], "\"he\""),
        (&["look", "--candidates", "Bob"], "\"Bob\""),
        (&["look", "--head", "9.9"], "no head L9H9"),
        (&["explain", "--word", "he#999"], "\"he\""),
        (&["rollout", "--word", "nobody"], "\"nobody\""),
        (&["export", "-o", "FILE.html", "--word", "he#999"], "\"he\""),
        (&["map", "-o", "FILE.svg", "--head", "9.9"], "no head L9H9"),
    ];
    for (reader, message) in cases {
        run(home.path(), reader, TEXT, &[]).refused(&[message]);
    }
    assert!(!home.path().join("export.html").exists());
}
