use crate::program::{SENTENCE, json, ok, refused};

const PROBE: &str = "The one who gets high scores is";

#[test]
fn the_notes_sentence_has_a_verdict_with_what_its_row_could_not_know() {
    let printed = ok(&["who", SENTENCE, "--word", "he", "--probe", PROBE]);
    assert!(
        printed.lines().all(|line| line.chars().count() <= 80),
        "{printed}"
    );
    let flowing = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "Swapping “Yet” for “So” should flip the answer. No head does this reliably; the closest, L13H8, shifts by 5.6% \
         (noise: 3.9%).",
        "“he” cannot know “gets high scores in test”",
        "Weights from the last token",
        "Weights from the end of the probe",
        "Cutting every edge from “he” to Vatsal",
        "Similarity of the raw embeddings alone, softmax(x·x)",
    ] {
        assert!(flowing.contains(part), "{part:?} is not in\n{printed}");
    }
}

#[test]
fn json_holds_rows_controls_and_causes() {
    let answer = json(&[
        "who",
        SENTENCE,
        "--candidates",
        "Vatsal,Madd",
        "--head",
        "13.8",
        "--ablate",
        "9.4",
    ]);
    assert_eq!(answer["format"], "lookback-who/2");
    assert_eq!(answer["rows"][0]["from"], "word");
    let effects = answer["cause"]["effects"].as_array().unwrap();
    // One head and all heads, to each of two candidates; and the ablation.
    assert_eq!(effects.len(), 5);
    assert!(effects.iter().all(|e| e["kl"].as_f64().unwrap() >= 0.0));
    assert_eq!(effects[4]["intervention"]["kind"], "ablated");
    // The clauses can be put in the other order, so that a place is distinguished from a role.
    let controls = answer["rows"][0]["controls"].as_array().unwrap();
    let kinds: Vec<_> = controls
        .iter()
        .map(|c| c["flip"]["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["connective", "pronoun", "order"]);
    assert_eq!(answer["rows"][0]["place_head"]["prefers"], "nearer");
    assert_eq!(
        answer["rows"][0]["place_head"]["reordered"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn questions_that_cannot_be_asked_fail_in_a_line() {
    let said = |arguments: &[&str]| {
        let (code, said) = refused(arguments);
        assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
        said
    };
    assert!(said(&["who", SENTENCE, "--word", "she"]).contains("is not a word of the text"));
    let twice = "Tom met Bob. He told him that he won, but he did not.";
    assert!(said(&["who", twice, "--word", "he"]).contains("say which: he#1"));
    assert!(
        said(&["who", SENTENCE, "--candidates", "Vatsal,test"]).contains("comes before none of he")
    );
    assert!(said(&["who", "He left."]).contains("no candidate before it"));
    assert!(said(&["who", SENTENCE, "--from", "probe"]).contains("give one with --probe"));
    assert!(
        said(&["who", "--set", "/nowhere/set.jsonl"]).contains("cannot read /nowhere/set.jsonl")
    );
}

#[test]
fn a_set_goes_on_behind_bad_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("set.jsonl");
    let line = |text: &str, answer: &str| {
        format!(
            "{{\"text\": \"{text}\", \"word\": \"she\", \"candidates\": [\"John\", \"Mary\"], \"answer\": \"{answer}\", \
             \"group\": \"g\", \"template\": \"t\"}}\n"
        )
    };
    let lines = [
        line(
            "John met Mary at the station. Then she bought two tickets.",
            "Mary",
        ),
        "{not json}\n".to_owned(),
        line(
            "Mary met John at the station. Then she bought two tickets.",
            "Mary",
        ),
    ];
    std::fs::write(&file, lines.concat()).unwrap();
    let file = file.to_str().unwrap();
    let report = json(&["who", "--set", file]);
    assert_eq!(report["skipped"][0]["line"], 2);
    let group = &report["groups"][0];
    assert_eq!(
        (
            group["n"].as_u64(),
            group["heads"].as_array().unwrap().len()
        ),
        (Some(2), 270)
    );
    assert_eq!(group["smallest_p"], 0.5);
    let printed = ok(&["who", "--set", file]);
    assert!(printed.contains("1 template: too few"), "{printed}");
}
