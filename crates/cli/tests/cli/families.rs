//! Every command on a tiny checkpoint of every family.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::program::{Run, folder, lookback, tiny};
use crate::serving::Serving;

/// Short enough for the tiny models' contexts of 32 tokens.
const TEXT: &str = "Tom met Ann. Yet he left";

/// One variant of each, and whether it continues a text.
const FAMILIES: [(&str, bool); 25] = [
    ("gpt2-tied", true),
    ("neox-parallel", true),
    ("llama-biases", true),
    ("mistral-window", true),
    ("mixtral-tied", true),
    ("qwen2-window", true),
    ("qwen3-tied", true),
    ("qwen2moe-shared", true),
    ("qwen3moe-mixed", true),
    ("gptoss-windows", true),
    ("gemma2-soft-caps", true),
    ("gemma3-scaled", true),
    ("phi3-window", true),
    ("phi3-longrope", true),
    ("olmo2-grouped", true),
    ("smollm3-window", true),
    ("granite-multipliers", true),
    ("opt-behind", true),
    ("bloom-three-heads", true),
    ("falcon-grouped", true),
    ("falcon-rw", true),
    ("bert-masked-lm", false),
    ("distilbert-masked-lm", false),
    ("roberta-untied", false),
    ("modernbert-masked-lm", false),
];

fn variant(name: &str) -> PathBuf {
    tiny("../families").join(name)
}

fn run(home: &Path, model: &str, arguments: &[&str]) -> Run {
    let mut command = lookback(home);
    command.args(arguments).arg(TEXT);
    Run::of(command.arg("--model").arg(variant(model)))
}

/// Commands that answer for every model, with JSON.
const FOR_ALL: [&[&str]; 6] = [
    &["look", "--json"],
    &["explain", "--head", "1.1", "--json"],
    &["heads", "--no-probes", "--json"],
    &["who", "--word", "he", "--json"],
    &["rollout", "--json"],
    &["compare", "--with", TEXT, "--json"],
];

#[test]
fn every_command_answers_for_every_family() {
    for (model, continues) in FAMILIES {
        let home = folder();
        for arguments in FOR_ALL {
            let answer = run(home.path(), model, arguments).json();
            assert!(answer.is_object(), "{model} {arguments:?}");
        }
        let explained = run(home.path(), model, &["explain", "--json"]).json();
        assert_eq!(explained["worst_check"]["agrees"], true, "{model}");
        files_are_written(home.path(), model);
        the_page_is_answered(home.path(), model, continues);
        let generated = run(home.path(), model, &["generate", "--tokens", "3"]);
        if continues {
            generated.ok();
            let losses = run(
                home.path(),
                model,
                &["importance", "--head", "0.1", "--json"],
            );
            assert!(losses.json().is_object(), "{model}");
        } else {
            generated.refused(&["reads a text as a whole", "fill"]);
        }
    }
}

/// A trace, a page, a map and a table; the trace answers without the model.
fn files_are_written(home: &Path, model: &str) {
    let file = |ending: &str| {
        let file = home.join(format!("{model}{ending}"));
        file.to_str().unwrap().to_owned()
    };
    let trace = file(".safetensors");
    run(home, model, &["trace", "-o", &trace]).ok();
    run(home, model, &["export", "-o", &file(".html")]).ok();
    run(home, model, &["map", "--head", "1.1", "-o", &file(".svg")]).ok();
    run(home, model, &["stats", "-o", &file(".csv")]).ok();
    let info = Run::of(lookback(home).args(["trace", "info", &trace, "--json"])).json();
    let tokens = info["tokens"].as_u64().or(info["n"].as_u64());
    assert!(tokens.is_some_and(|tokens| tokens > 5), "{model}: {info}");
    Run::of(lookback(home).args(["look", "--trace", &trace, "--json"])).ok();
}

/// What the page asks a server for, view by view.
fn the_page_is_answered(home: &Path, model: &str, continues: bool) {
    let server = Serving::start(home, &variant(model), &[TEXT]);
    let of_trace = format!("/traces/{}", server.first());
    let (_, trace) = server.get(&of_trace);
    assert_eq!(trace["state"], "ready", "{model}: {trace}");
    for path in [
        "/token-attention?index=2",
        "/token-attention?index=2&unit=word",
        "/steps?head=1.1",
        "/heads/1.1/weights.json",
        "/page.json",
    ] {
        let (status, answer) = server.get(&format!("{of_trace}{path}"));
        assert!(
            status == 200 && answer.is_object(),
            "{model} {path}: {answer}"
        );
    }
    for path in [
        "/grid",
        "/profiles",
        "/page.html",
        "/heads/1.1/map.svg",
        "/text.svg?index=2",
    ] {
        let (status, _) = server.get(&format!("{of_trace}{path}"));
        assert_eq!(status, 200, "{model} {path}");
    }
    let (status, predicted) = server.post(&format!("{of_trace}/predict"), &json!({}));
    let expected = if continues { 200 } else { 409 };
    assert_eq!(status, expected, "{model}: {predicted:?}");
    let at_he = TEXT.find("he").unwrap();
    let words = trace["trace"]["words"].as_array().unwrap();
    let he = words.iter().position(|word| word[0] == at_he).unwrap();
    let (status, who) = server.post(&format!("{of_trace}/who"), &json!({"word": he}));
    let answered = who.last().is_some_and(|last| last["who"].is_object());
    assert!(status == 200 && answered, "{model}: {who:?}");
}

#[test]
fn masks_are_filled_by_those_that_were_trained_to() {
    let home = folder();
    for (model, text) in [
        ("bert-masked-lm", "Tom met [MASK]. Yet [MASK] left."),
        ("distilbert-masked-lm", "Tom met [MASK]. Yet [MASK] left."),
        ("roberta-untied", "Tom met <mask>. Yet <mask> left."),
        ("modernbert-masked-lm", "Tom met[MASK]. Yet[MASK] left."),
    ] {
        let mut command = lookback(home.path());
        command.args(["fill", text, "--top", "3", "--json", "--model"]);
        let answer = Run::of(command.arg(variant(model))).json();
        let masks = answer["masks"].as_array().unwrap();
        assert_eq!(masks.len(), 2, "{model}: {answer}");
        for mask in masks {
            let candidates = mask["candidates"].as_array().unwrap();
            let probability = |candidate: &Value| candidate["probability"].as_f64().unwrap();
            let all: Vec<f64> = candidates.iter().map(probability).collect();
            assert!(
                all.len() == 3 && all[0] >= all[1] && all[1] >= all[2],
                "{model}"
            );
        }
    }
    let fill = |model: &str| run(home.path(), model, &["fill"]);
    fill("bert-masked-lm").refused(&["no mask", "[MASK]"]);
    fill("bert-base").refused(&["does not predict masked words"]);
    fill("gpt2-tied").refused(&["does not predict masked words"]);
}

#[test]
fn questions_without_an_answer_say_so_by_name() {
    let home = folder();
    let attribute = ["attribute", "--for", "the", "--against", "a"];
    for (model, why) in [
        ("gemma2-soft-caps", "norms behind its attention"),
        ("bert-masked-lm", "norms behind its attention"),
        ("olmo2-grouped", "norms behind its attention"),
        ("opt-behind", "norms behind its attention"),
        ("bert-base", "no output head"),
    ] {
        run(home.path(), model, &attribute).refused(&[why]);
    }
    // A base model looks, and predicts nothing.
    let looked = run(home.path(), "bert-base", &["look", "--json"]);
    assert!(looked.json().is_object());
}
