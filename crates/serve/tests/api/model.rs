//! What is asked of a model: which name a word refers to, changed runs, what comes next, and the heads' scores.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use lookback_heads::example::SENTENCE;
use lookback_heads::interventions::NamedInterventions;
use lookback_heads::prediction::{PredictionOptions, predict};
use lookback_heads::who::{self, Question, WhoOptions};
use lookback_model::store::{Silent, Store};
use lookback_model::{LoadOptions, Model, Prefix};
use lookback_serve::{NamedModel, ServeOptions};
use lookback_trace::Words;
use serde_json::{Value, json};

use crate::client::{Running, as_answered};

static MODEL: LazyLock<NamedModel> = LazyLock::new(|| {
    let resolved = Store::from_env().unwrap().default_model(&Silent).unwrap();
    NamedModel {
        model: Arc::new(Model::load(&resolved.path, &LoadOptions::default()).unwrap()),
        name: resolved.name,
        sha256: resolved.sha256.unwrap_or_default(),
    }
});

const PROBE: &str = "The one who gets high scores is";

fn serving(interventions: NamedInterventions) -> Running {
    let server = Running::serving(ServeOptions {
        model: Some(MODEL.clone()),
        text: SENTENCE.to_owned(),
        interventions,
        ..ServeOptions::default()
    });
    ready(&server, &server.trace);
    server
}

/// The trace once it is read, as it is described.
fn ready(server: &Running, id: &str) -> Value {
    let start = Instant::now();
    loop {
        let state = server.get(&format!("/api/1/traces/{id}")).json();
        if state["state"] != "reading" {
            assert_eq!(state["state"], "ready", "{state}");
            return state;
        }
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Reads the sentence under interventions, and gives the trace's name.
fn read(server: &Running, interventions: &Value) -> String {
    let body = json!({ "text": SENTENCE, "interventions": interventions });
    let answer = server
        .post("/api/1/traces", body.to_string().as_bytes())
        .json();
    answer["id"].as_str().expect("it is read").to_owned()
}

fn last_line(answer: &str) -> Value {
    serde_json::from_str(answer.lines().last().unwrap()).unwrap()
}

#[test]
fn who_is_the_library_s_answer_and_tells_its_progress() {
    let server = serving(NamedInterventions::default());
    let he = 10;
    let answer = server
        .tell("/who", &json!({ "word": he, "probe": PROBE, "top": 3 }))
        .text();
    let first: Value = serde_json::from_str(answer.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["reading"], &first["layers"]),
        (&json!(1), &json!(30))
    );
    let found = last_line(&answer);
    assert_eq!(found["label"], "he");
    let encoding = MODEL
        .model
        .tokenizer()
        .encode(SENTENCE, &Prefix::Declared)
        .unwrap();
    let words = Words::new(&encoding.text, &encoding.spans);
    let word = "he".parse().unwrap();
    let question = Question::new(SENTENCE, &words, Some(&word), &[], Some(PROBE)).unwrap();
    let options = WhoOptions {
        prefix: Prefix::Declared,
        from: who::From::Word,
        heads: Vec::new(),
        ablate: Vec::new(),
        means: lookback_heads::mean_output::MeanOutputs::default(),
        top: 3,
        model_name: MODEL.name.clone(),
    };
    let expected = who::who(&MODEL.model, &question, &options, &()).unwrap();
    assert_eq!(found["who"], as_answered(&expected));
}

/// A hundred times, at whatever point the reading is.
#[test]
fn a_text_that_is_stopped_and_sent_again_at_once_is_read() {
    let server = serving(NamedInterventions::default());
    let text = "Tom met Ann in Rome, and so did she. ".repeat(8);
    let mut stopped = 0;
    for round in 0..100_u32 {
        let body = json!({ "text": format!("{text}{round}") }).to_string();
        let read = || server.post("/api/1/traces", body.as_bytes()).json();
        let path = format!("/api/1/traces/{}", read()["id"].as_str().unwrap());
        std::thread::sleep(Duration::from_millis((round % 10).into()));
        let head = format!("DELETE {path} HTTP/1.0\r\nHost: {}\r\n\r\n", server.address);
        stopped += u32::from(server.get(&path).json()["state"] == "reading");
        assert_eq!(server.send(&head, b"").status, 204);
        let again = read();
        assert_ne!(again["state"], "failed", "round {round}: {again}");
        // What is read to its end is read once in a while; to stop it is quicker.
        if round % 20 == 0 {
            ready(&server, again["id"].as_str().unwrap());
        } else {
            assert_eq!(server.send(&head, b"").status, 204);
        }
    }
    assert!(stopped > 50, "{stopped} were still being read");
}

#[test]
fn bad_questions_about_words_are_refused_with_a_sentence() {
    let server = serving(NamedInterventions::default());
    for (body, status, says) in [
        (json!({ "word": 99 }), 400, "there is no word 99"),
        (json!({ "word": 0 }), 400, "a choice needs two"),
        (
            json!({ "word": 10, "candidates": ["Nobody", "Madd"] }),
            400,
            "is not a word of the text",
        ),
        (
            json!({ "word": 5, "candidates": ["he", "Madd"] }),
            400,
            "comes before none",
        ),
        (json!({ "word": 10, "from": "probe" }), 400, "needs a probe"),
        (json!({ "word": 10, "top": 1000 }), 400, "at most 32"),
        (json!({ "word": 10, "file": "x" }), 422, "unknown field"),
    ] {
        server.tell("/who", &body).refuses(status, says);
    }
    let many: Vec<String> = (0..40).map(|at| format!("name{at}")).collect();
    server
        .tell("/predict", &json!({ "continuations": many }))
        .refuses(400, "at most 16");
    server
        .tell("/predict", &json!({ "probe": "x".repeat(5000) }))
        .refuses(400, "4096 bytes");
    for (changes, says) in [
        (json!({ "ablate": ["x"] }), "is not a head"),
        (json!({ "cut": ["he"] }), "is no edge"),
        (
            json!({ "ablate": vec!["0.0"; 5000] }),
            "4096 are made at most",
        ),
    ] {
        let body = json!({ "text": SENTENCE, "changes": changes });
        server
            .post("/api/1/traces", body.to_string().as_bytes())
            .refuses(400, says);
    }
    // What only the model or the text can refuse is said once it is read.
    for (changes, says) in [
        (json!({ "ablate": ["99.0"] }), "there is no head L99H0"),
        (
            json!({ "cut": ["he->nobody"] }),
            "is not a word of the text",
        ),
    ] {
        let id = read(&server, &changes);
        let start = Instant::now();
        let state = loop {
            let state = server.get(&format!("/api/1/traces/{id}")).json();
            if state["state"] != "reading" || start.elapsed() > Duration::from_secs(60) {
                break state;
            }
        };
        let error = state["error"].as_str().unwrap_or_default();
        assert!(error.contains(says), "{state}");
    }
}

#[test]
fn a_changed_run_is_a_trace_of_its_own_and_says_what_was_changed() {
    let server = serving(NamedInterventions::default());
    let changes = json!({ "ablate": ["9.4"], "cut": ["he->Madd@13.8"] });
    let id = read(&server, &changes);
    assert_ne!(id, server.trace);
    let state = ready(&server, &id);
    assert_eq!(state["interventions"], changes);
    // Under their name in earlier versions they are the same.
    assert_eq!(state["changes"], changes);
    let body = json!({ "text": SENTENCE, "changes": changes });
    let earlier = server.post("/api/1/traces", body.to_string().as_bytes());
    assert_eq!(earlier.json()["id"], json!(id));
    assert_eq!(state["trace"]["edited"], true);
    // Asked again, in another order and twice, it is the same one.
    let again = json!({ "cut": ["he->Madd@13.8", "he->Madd@13.8"], "ablate": ["L9H4", "9.4"] });
    assert_eq!(read(&server, &again), id);
    // The weight of the edge is 0 exactly, and the row sums to 1.
    let encoding = MODEL
        .model
        .tokenizer()
        .encode(SENTENCE, &Prefix::Declared)
        .unwrap();
    let words = Words::new(&encoding.text, &encoding.spans);
    let tokens = |word: usize| words.get(word).unwrap().tokens.clone();
    let he = tokens(10).start;
    let row = |id: &str| {
        server
            .get(&format!("/api/1/traces/{id}/heads/13.8/row?query={he}"))
            .floats()
    };
    let (cut, whole) = (row(&id), row(&server.trace));
    assert!(tokens(5).all(|key| cut[key] == 0.0 && whole[key] > 0.0));
    assert!((cut.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    // The unchanged run is still there, and unchanged.
    assert_eq!(ready(&server, &server.trace)["trace"]["edited"], false);
    // What comes next is what the library says, and generation goes on under the changes.
    let asked = json!({ "probe": PROBE, "continuations": ["Vatsal", "Madd"], "top": 4 });
    let path = format!("/api/1/traces/{id}/predict");
    let found = server.post(&path, asked.to_string().as_bytes()).json();
    let options = PredictionOptions {
        prefix: Prefix::Declared,
        probe: Some(PROBE.to_owned()),
        continuations: vec!["Vatsal".to_owned(), "Madd".to_owned()],
        top: 4,
    };
    let changes = NamedInterventions {
        ablate: vec![lookback_heads::head::parse("9.4").unwrap()],
        cut: vec!["he->Madd@13.8".parse().unwrap()],
    };
    let expected = predict(&MODEL.model, SENTENCE, &changes, &options, &()).unwrap();
    assert!(expected.kl > 0.0);
    assert_eq!(found, as_answered(&expected));
    let generate = json!({ "trace": id, "max_tokens": 2 });
    let written = last_line(
        &server
            .post("/api/1/generate", generate.to_string().as_bytes())
            .text(),
    );
    assert_eq!(written["tokens"], 2, "{written}");
}

#[test]
fn the_page_can_begin_with_a_changed_run() {
    let server = serving(NamedInterventions {
        ablate: vec![lookback_heads::head::parse("9.4").unwrap()],
        ..NamedInterventions::default()
    });
    let state = ready(&server, &server.trace);
    assert_eq!(state["changes"]["ablate"], json!(["9.4"]));
}

#[test]
fn scores_are_computed_once_in_the_background() {
    let server = serving(NamedInterventions::default());
    assert_eq!(server.get("/api/1/scores").json()["state"], "none");
    assert_eq!(
        server.post("/api/1/scores", b"{}").json()["state"],
        "computing"
    );
    let start = Instant::now();
    let scores = loop {
        let scores = server.get("/api/1/scores").json();
        if scores["state"] != "computing" {
            break scores;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{scores}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let heads = scores["heads"].as_array().unwrap();
    assert_eq!(heads.len(), 270);
    let of = |layer: usize, head: usize| &heads[layer * 9 + head];
    // The heads that the golden data name.
    assert!(
        of(18, 6)["induction"].as_f64().unwrap() > 0.6,
        "{}",
        of(18, 6)
    );
    assert!(
        of(16, 0)["previous"].as_f64().unwrap() > 0.7,
        "{}",
        of(16, 0)
    );
    assert!(of(18, 6)["copying"].as_f64().unwrap() > -1.0);
    // Asked for again, they are there.
    assert_eq!(server.post("/api/1/scores", b"{}").json()["state"], "ready");
}
