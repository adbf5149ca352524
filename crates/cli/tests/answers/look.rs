use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use lookback_model::{LoadOptions, Logits, Model, Prefix, TraceOptions, store};
use lookback_trace::SaveOptions;

use crate::program::{SENTENCE, json, lookback, ok, refused};

#[test]
fn the_sentence_of_the_notes_is_answered() {
    // Without a command, `look` is meant; a pipe gets no colours and 80 columns.
    let printed = ok(&[SENTENCE]);
    assert!(!printed.contains('\x1b'));
    assert!(printed.lines().all(|line| line.chars().count() <= 80));
    for part in [
        "smollm2-135m",
        "Prefix: <|endoftext|>. It acts as the sink",
        "V·ats·al studies a lot·, M·add does not·. Yet ▸he gets",
        "he looks back at · mean of all 270 heads, the sink’s 51.1% excluded",
        // Published weights of the sentence: L13H8 gives Vatsal .085 and Madd .317.
        "Madd   L13H8      8.5%",
        "31.7%",
        "hypothesis",
    ] {
        assert!(printed.contains(part), "{part:?} is not in\n{printed}");
    }
}

#[test]
fn colours_are_there_only_where_they_are_asked_for() {
    assert!(ok(&["--color", "always", "He left."]).contains('\x1b'));
    let output = lookback(&["He left."])
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert!(output.status.success() && !output.stdout.contains(&0x1b));
}

#[test]
fn json_holds_the_numbers_of_the_trace() {
    let path = store::default_model(&store::Silent).unwrap().path;
    let model = Model::load(&path, &LoadOptions::default()).unwrap();
    let encoding = model
        .tokenizer()
        .encode(SENTENCE, &Prefix::Declared)
        .unwrap();
    let options = TraceOptions {
        logits: Logits::None,
        ..TraceOptions::default()
    };
    let trace = model.trace(&encoding, &options, &()).unwrap().trace;

    let printed = json(&[SENTENCE]);
    assert_eq!(printed["model"], "smollm2-135m");
    assert_eq!(printed["tokens"].as_array().unwrap().len(), trace.n());
    let he = &printed["words_of_interest"][0];
    let word = usize::try_from(he["word"].as_u64().unwrap()).unwrap();
    assert_eq!(trace.words().get(word).unwrap().text, "he");
    let heads = he["heads"].as_array().unwrap();
    assert_eq!(heads.len(), 270);
    for (index, head) in heads.iter().enumerate() {
        let weights = trace.word_weights(index / 9, index % 9, word).unwrap();
        let close = |json: &serde_json::Value, weight: f32| {
            assert!((json.as_f64().unwrap() - f64::from(weight)).abs() < 1e-6);
        };
        close(&head["sink_share"], weights.prefix);
        for (pair, &weight) in head["word_weights"]
            .as_array()
            .unwrap()
            .iter()
            .zip(&weights.words)
        {
            close(&pair[1], weight);
        }
    }
    // Published: L9H4 gives Vatsal .181 and Madd .078.
    let l9h4 = &heads[9 * 9 + 4]["word_weights"];
    assert!((l9h4[0][1].as_f64().unwrap() - 0.181).abs() < 5e-4);
    assert!((l9h4[5][1].as_f64().unwrap() - 0.078).abs() < 5e-4);

    // A trace in a file answers the same, but for what it does not know: the prefix's name and the model's.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.safetensors");
    trace.save(&file, &SaveOptions::default()).unwrap();
    let from_file = json(&["look", "--trace", file.to_str().unwrap()]);
    assert_eq!(from_file["words_of_interest"], printed["words_of_interest"]);
}

#[test]
fn texts_come_from_files_and_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.txt");
    std::fs::write(&file, "Jack saw Ann. Yet she left.\n").unwrap();
    let from_file = ok(&["--file", file.to_str().unwrap()]);
    assert!(from_file.contains("she looks back at"));
    let mut child = lookback(&["-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"Jack saw Ann. Yet she left.")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), from_file);
}

#[test]
fn words_candidates_and_heads_can_be_chosen() {
    let text = "The dog chased the cat because he said he was angry.";
    let chosen = [
        text,
        "--word",
        "he#2",
        "--candidates",
        "dog,cat",
        "--head",
        "9.4",
        "--top",
        "2",
    ];
    let printed = json(&chosen);
    let he = &printed["words_of_interest"];
    assert_eq!(he.as_array().unwrap().len(), 1);
    assert_eq!(he[0]["label"], "he#2");
    assert_eq!(he[0]["candidates"][1]["text"], "cat");
    assert_eq!(he[0]["candidates"][1]["heads"].as_array().unwrap().len(), 2);
    assert_eq!(he[0]["heads"].as_array().unwrap().len(), 1);
    assert!(ok(&chosen).contains("he#2 in head L9H4"));
}

#[test]
fn without_a_prefix_the_first_word_is_said_to_be_the_sink() {
    let printed = ok(&[SENTENCE, "--prefix", "none"]);
    assert!(printed.contains("first word, “Vatsal”, acts as"));
    assert!(printed.contains("Vatsal (sink)"));
}

#[test]
fn texts_of_any_script_fit_any_width() {
    let text = "José 🙂 said: <b>\u{202e}שלום</b> 日本語で👨‍👩‍👧\t\x1b[31mshe left.";
    for width in ["20", "40", "200"] {
        let printed = ok(&[text, "--width", width]);
        assert!(printed.contains("she"));
        assert!(!printed.contains(['\x1b', '\t', '\u{202e}']));
    }
}

#[test]
fn what_cannot_be_answered_is_refused_in_one_line() {
    let cases: [(&[&str], i32, &str); 7] = [
        (
            &[SENTENCE, "--word", "she"],
            1,
            "\"she\" is not a word of the text",
        ),
        (
            &["He said he won; he lied.", "--word", "he"],
            1,
            "\"he\" occurs twice in the text; say which: he#1",
        ),
        (
            &[SENTENCE, "--head", "30.0"],
            1,
            "there is no head L30H0: layers are 0 to 29",
        ),
        (
            &[SENTENCE, "--candidates", "test"],
            1,
            "comes before none of he",
        ),
        (&[""], 1, "the text is empty"),
        (&["  \t"], 1, "the text has no words"),
        (&["--trace", "/does/not/exist"], 1, "/does/not/exist"),
    ];
    for (arguments, code, message) in cases {
        let (found, said) = refused(arguments);
        assert_eq!(found, Some(code), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(message), "{message:?} is not in {said}");
    }
    let (code, said) = refused(&[SENTENCE, "--head", "nine"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("write layer and head"), "{said}");
}

#[test]
fn a_text_that_is_not_utf8_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("latin1.txt");
    std::fs::write(&file, b"Jos\xe9 left.").unwrap();
    let (code, said) = refused(&["--file", file.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(said.contains("is not UTF-8: byte 3 is 0xe9"), "{said}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for more in [&[][..], &["--json"]] {
        let mut child = lookback(&[&[SENTENCE], more].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Closed before anything is printed.
        drop(child.stdout.take());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        assert_eq!(stderr.lines().count(), 0);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}
