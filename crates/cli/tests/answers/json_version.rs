//! `--json-version 1`: the keys from before they were renamed.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::program::{SENTENCE, json, ok};

/// The keys of a format in its first version.
fn keys_of_version_1(format: &str) -> BTreeSet<String> {
    let lines = include_str!("../data/json_version_1.txt").lines();
    let of_format = lines.skip_while(|line| *line != format).skip(1);
    of_format
        .take_while(|line| line.starts_with("  "))
        .map(|line| line.trim().to_owned())
        .collect()
}

/// Every key of an answer with those that it is in; `[]` for any entry of a list.
fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values
            .iter()
            .for_each(|value| keys(value, &format!("{path}[]"), found)),
        Value::Object(object) => {
            for (key, value) in object {
                let path = match path {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                keys(value, &path, found);
                found.insert(path);
            }
        }
        _ => (),
    }
}

/// Both versions of an answer, the first of which must have exactly the old keys.
#[track_caller]
fn versions(arguments: &[&str], format: &str) -> [Value; 2] {
    let one = json(&[arguments, &["--json-version", "1"]].concat());
    assert_eq!(one["format"], format);
    let mut found = BTreeSet::new();
    keys(&one, "", &mut found);
    let expected = keys_of_version_1(format);
    assert!(!expected.is_empty());
    let (more, less): (Vec<_>, Vec<_>) = (
        found.difference(&expected).collect(),
        expected.difference(&found).collect(),
    );
    assert!(
        more.is_empty() && less.is_empty(),
        "new: {more:?}, missing: {less:?}"
    );
    [one, json(arguments)]
}

#[test]
fn who_has_its_old_keys_and_numbers() {
    let probe = "The one who gets high scores is";
    let asked = ["who", SENTENCE, "--probe", probe, "--ablate", "9.4"];
    let [one, two] = versions(&asked, "lookback-who/1");
    assert_eq!(two["format"], "lookback-who/2");
    assert_eq!(one["baseline"], two["baseline"]["scaled_with_self"]);
    assert_eq!(
        one["rows"][0]["pooled"]["weights"],
        two["rows"][0]["answering_heads"]["weights"]
    );
    assert_eq!(
        one["rows"][0]["heads"][0]["keeps_to"],
        two["rows"][0]["heads"][0]["prefers"]
    );
    let sentences = |of: &Value| of.as_array().map_or(0, Vec::len);
    let all = sentences(&two["verdict"]) + sentences(&two["evidence"]);
    assert_eq!(
        (sentences(&two["verdict"]), sentences(&one["verdict"])),
        (3, all)
    );
}

#[test]
fn a_set_has_its_old_keys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("set.jsonl");
    let line = |a: &str, b: &str| {
        format!(
            "{{\"text\": \"{a} met {b} at the station. Then she left it.\", \"word\": \"she\", \
             \"candidates\": [\"John\", \"Mary\"], \"answer\": \"Mary\", \"template\": \"t\"}}\n"
        )
    };
    std::fs::write(&file, line("John", "Mary") + &line("Mary", "John")).unwrap();
    let asked = ["who", "--set", file.to_str().unwrap()];
    let [one, two] = versions(&asked, "lookback-who-set/1");
    let (one, two) = (&one["groups"][0], &two["groups"][0]);
    assert_eq!(one["baseline"], two["baseline"]["scaled_with_self"]);
    assert_eq!(one["pooled"], two["answering_heads"]);
}

#[test]
fn explain_has_its_old_keys() {
    versions(&["explain", SENTENCE, "--head", "9.4"], "lookback-walk/1");
}

#[test]
fn heads_and_attribute_have_their_old_keys() {
    let asked = ["heads", SENTENCE, "--no-probes", "--ablate", "9.4"];
    let [one, two] = versions(&asked, "lookback-heads/1");
    assert_eq!(one["changes"], two["interventions"]);
    let text = "When Mary and John went to the store, John gave a drink to";
    let asked = [
        "attribute",
        text,
        "--for",
        "Mary",
        "--against",
        "John",
        "--ablate",
        "9.4",
    ];
    versions(&asked, "lookback-attribute/1");
}

#[test]
fn rollout_has_its_number_under_its_old_key() {
    let [one, two] = versions(&["rollout", SENTENCE], "lookback-rollout/1");
    assert_eq!(one["prefix"], two["prefix_rollout"]);
    assert_eq!(two["prefix"], "<|endoftext|>");
}

#[test]
fn formats_that_did_not_change_are_the_same_in_both_versions() {
    for arguments in [
        &[SENTENCE, "--head", "9.4", "--json"][..],
        &["importance", SENTENCE, "--head", "9.4", "--json"],
    ] {
        let one = ok(&[&["--json-version", "1"], arguments].concat());
        assert_eq!(one, ok(arguments));
    }
}
