//! Every command reads a text as the same tokens, behind the same prefix, and says so.

use std::path::Path;

use lookback_trace::Trace;
use serde_json::Value;

use crate::program::{Run, folder, lookback, tiny};
use crate::serving::Serving;

pub(crate) const TEXT: &str = "Tom met Ann. Yet he left.";

/// Each command that reads a text, with what else it needs; `FILE` is a file of its own.
pub(crate) const READERS: [&[&str]; 13] = [
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
    run_on(home, reader, &[text], more)
}

/// A command on a text, as it is named: by itself, or by its file.
pub(crate) fn run_on(home: &Path, reader: &[&str], text: &[&str], more: &[&str]) -> Run {
    let file = |argument: &&str| match argument.strip_prefix("FILE") {
        Some(ending) => {
            let file = home.join(format!("{}{ending}", reader[0]));
            file.to_str().unwrap().to_owned()
        }
        None => (*argument).to_owned(),
    };
    let mut command = lookback(home);
    command.args(reader.iter().map(file)).args(text);
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

/// The numbers of the tokens that were read, where the answer or its file has them.
fn ids(home: &Path, reader: &[&str], answer: &Value) -> Option<Vec<u64>> {
    let list = |value: &Value, of: fn(&Value) -> &Value| {
        let ids = value.as_array()?.iter().map(|token| of(token).as_u64());
        ids.collect::<Option<Vec<u64>>>()
    };
    match reader[0] {
        "look" => list(&answer["tokens"], |token| &token["id"]),
        "generate" => list(&answer["prompt_tokens"], |token| token),
        "trace" => {
            let trace = Trace::open(home.join("trace.safetensors")).unwrap();
            Some(trace.meta().tokens.iter().map(|&id| id.into()).collect())
        }
        "export" => {
            let page = std::fs::read_to_string(home.join("export.html")).unwrap();
            let (_, description) = page.split_once("id=\"description\">").unwrap();
            let (description, _) = description.split_once("</script>").unwrap();
            let description: Value = serde_json::from_str(description).unwrap();
            list(&description["tokens"], |token| &token[0])
        }
        _ => None,
    }
}

/// The server, which is a command too.
fn serve(home: &Path, more: &[&str]) -> (Value, Vec<u64>) {
    let server = Serving::start(home, &tiny("tied"), &[&[TEXT], more].concat());
    let (status, trace) = server.get(&format!("/traces/{}", server.first()));
    assert_eq!(status, 200);
    let tokens = trace["trace"]["tokens"].as_array().unwrap().iter();
    let ids = tokens.map(|token| token[0].as_u64().unwrap()).collect();
    let prefix = trace["trace"]["prefix"].as_array().unwrap().iter();
    let prefix: String = prefix.filter_map(Value::as_str).collect();
    assert_eq!(prefix, server.printed["prefix"]);
    (server.printed.clone(), ids)
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
        let (printed, of_server) = serve(home.path(), more);
        let tokens = of_server.len();
        let mut compared = 0;
        let said = match &expected {
            Some((of_prefix, prefix)) => (tokens, *of_prefix, Some(prefix.clone())),
            None => (tokens, 0, Some(String::new())),
        };
        assert_eq!(input(&printed), said);
        for reader in READERS {
            if reader[0] == "who" {
                continue;
            }
            let arguments = [more, &["--json"]].concat();
            let answer = run(home.path(), reader, TEXT, &arguments).json();
            let (count, of_prefix, text) = input(&answer);
            assert_eq!(count, tokens, "{reader:?} {more:?}");
            if let Some(ids) = ids(home.path(), reader, &answer) {
                assert_eq!(ids, of_server, "{reader:?} {more:?}");
                compared += 1;
            }
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
        assert_eq!(compared, 4, "{more:?}");
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
