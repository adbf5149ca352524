//! What is said of checkpoints whose files leave something open: pre-tokenizers, unknown keys, the models of adapters.

use std::path::{Path, PathBuf};

use crate::program::{Run, copy, folder, lookback, tiny};

const TEXT: &str = "Tom met Ann. Yet he left";

fn run(home: &Path, command: &str, model: &Path, arguments: &[&str]) -> Run {
    let mut program = lookback(home);
    let command = match command {
        "bench" => vec!["bench", "model", "--lengths", "4", "--runs", "1"],
        command => vec![command, TEXT],
    };
    program.args(command).arg("--model").arg(model);
    Run::of(program.args(arguments))
}

fn case(name: &str) -> PathBuf {
    tiny("../cases").join(name)
}

#[test]
fn a_file_that_does_not_say_how_words_are_cut_is_read_as_it_is_told() {
    let home = folder();
    let file = case("pre-missing/pre-None.gguf");
    for command in ["look", "generate", "heads", "bench"] {
        run(home.path(), command, &file, &[]).refused(&[
            "no tokenizer.ggml.pre",
            "--pre-tokenizer NAME",
            "tekken",
        ]);
        run(home.path(), command, &file, &["--pre-tokenizer", "tekken"]).ok();
    }
    let other = run(
        home.path(),
        "look",
        &file,
        &["--pre-tokenizer", "none-such"],
    );
    other.refused(&["none-such is not supported"]);
    let named = case("pre-tekken/pre-tekken.gguf");
    let against = run(home.path(), "look", &named, &["--pre-tokenizer", "gpt-2"]);
    assert!(
        against.stderr.contains("the file names tekken"),
        "{}",
        against.stderr
    );
    let mut of_trace = lookback(home.path());
    let of_trace = Run::of(of_trace.args(["look", "--trace", "t", "--pre-tokenizer", "tekken"]));
    assert_eq!(of_trace.code, Some(2), "{}", of_trace.stderr);
}

#[test]
fn unknown_keys_are_accepted_by_name() {
    let home = folder();
    let model = copy("tied", home.path());
    let config = model.join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        text.replacen('{', "{\"twist\": 2, \"turn\": [1],", 1),
    )
    .unwrap();
    run(home.path(), "look", &model, &[]).refused(&["turn = [1] is unknown", "--accept-key turn"]);
    let accepted = ["--accept-key", "turn", "--accept-key", "twist"];
    let passed = run(home.path(), "look", &model, &accepted);
    assert!(
        passed
            .stderr
            .contains("twist = 2 is unknown and passed over"),
        "{}",
        passed.stderr
    );
    passed.ok();
}

#[test]
fn an_adapter_is_merged_into_its_model_wherever_that_is() {
    let home = folder();
    let merged = run(home.path(), "look", &tiny("../wild/lora-llama"), &[]);
    let note = "the LoRA adapter (rank 2, 4) is merged into";
    assert!(merged.stderr.contains(note), "{}", merged.stderr);
    merged.ok();
    // One whose model is on the hub.
    let adapter = home.path().join("adapter");
    std::fs::create_dir(&adapter).unwrap();
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        let text = std::fs::read(tiny("../wild/lora-llama").join(file)).unwrap();
        std::fs::write(adapter.join(file), text).unwrap();
    }
    let config = adapter.join("adapter_config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("../../tiny/grouped", "someone/base")).unwrap();
    run(home.path(), "look", &adapter, &[]).refused(&[
        "is a LoRA adapter (PEFT)",
        "someone/base, which is not here",
        "--base hf:someone/base",
    ]);
    let base = tiny("grouped");
    let base = base.to_str().unwrap();
    run(home.path(), "look", &adapter, &["--base", base]).ok();
    run(home.path(), "look", &tiny("tied"), &["--base", base]).refused(&["--base is for adapters"]);
    // It is found among the models that were fetched.
    let snapshot = home
        .path()
        .join("hub/models--someone--base/snapshots/0000000000000000000000000000000000000000");
    std::fs::create_dir_all(snapshot.parent().unwrap()).unwrap();
    std::fs::rename(copy("grouped", home.path()), &snapshot).unwrap();
    run(home.path(), "look", &adapter, &[]).ok();
}
