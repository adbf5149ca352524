//! Keys of configurations that nobody knows, and names.

use lookback_model::checkpoint::{Checkpoint, OpenOptions};
use lookback_model::store::{Settings, Silent, Store};
use serde_json::{Value, json};

use crate::common::data;
use crate::{copy, edit_json, refusal};

fn accepting(keys: &[&str]) -> OpenOptions {
    OpenOptions {
        accept_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        ..OpenOptions::default()
    }
}

#[test]
fn unknown_keys_stop_a_load_until_they_are_accepted_by_name() {
    let folder = copy(&data("families").join("llama-rope-llama3"));
    edit_json(&folder.path().join("config.json"), |config| {
        config["attention_twist"] = json!(0.5);
        config["rope_parameters"]["bend"] = json!([1, 2]);
    });
    let message = refusal(folder.path(), &OpenOptions::default());
    assert!(
        message.contains("rope_parameters.bend = [1,2] is unknown")
            && message.ends_with("go on with --accept-key rope_parameters.bend"),
        "{message}"
    );
    let message = refusal(folder.path(), &accepting(&["rope_parameters.bend"]));
    assert!(
        message.ends_with("--accept-key attention_twist"),
        "{message}"
    );
    let keys = ["rope_parameters.bend", "attention_twist", "misspelt"];
    let checkpoint = Checkpoint::open_with(folder.path(), &accepting(&keys)).unwrap();
    let notes = checkpoint.notes();
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(
        notes[0].contains("rope_parameters.bend = [1,2] is unknown and passed over"),
        "{notes:?}"
    );
    assert!(notes[1].contains("attention_twist = 0.5"), "{notes:?}");
    assert!(
        notes[2].contains("no unknown key of this name"),
        "{notes:?}"
    );
    // What is known and not implemented is not to be passed over.
    edit_json(&folder.path().join("config.json"), |config| {
        config["clip_qkv"] = json!(8)
    });
    let message = refusal(folder.path(), &accepting(&[keys[0], keys[1], "clip_qkv"]));
    assert!(
        message.contains("clip_qkv = 8 is not supported"),
        "{message}"
    );
}

#[test]
fn what_changes_nothing_does_not_stop_a_load() {
    let cases = [
        (
            "auto_map",
            json!({"AutoModelForCausalLM": "modeling.Model"}),
        ),
        ("bos_token", json!("<s>")),
        ("output_router_logits", json!(false)),
        ("use_flash_attn", json!(true)),
        ("classifier_dropout", json!(0.1)),
        ("_attn_implementation_autoset", json!(true)),
    ];
    for (key, value) in cases {
        let folder = copy(&data("tiny").join("tied"));
        edit_json(&folder.path().join("config.json"), |config| {
            config[key] = value
        });
        let opened = Checkpoint::open(folder.path()).unwrap_or_else(|error| panic!("{error}"));
        assert!(opened.notes().is_empty(), "{:?}", opened.notes());
    }
}

#[test]
fn a_rotary_base_that_is_said_twice_is_to_be_the_one_that_transformers_takes() {
    let with = |change: fn(&mut Value)| {
        let folder = copy(&data("families").join("llama-rope-llama3"));
        edit_json(&folder.path().join("config.json"), |config| {
            config["rope_parameters"]["rope_theta"] = json!(500_000.0);
            change(config);
        });
        folder
    };
    let folder = with(|config| config["rope_theta"] = json!(10_000.0));
    let message = refusal(folder.path(), &OpenOptions::default());
    assert!(
        message.contains("rope_theta is 10000")
            && message.contains("must be 500000, as rope_parameters.rope_theta"),
        "{message}"
    );
    let folder = with(|config| config["rope_scaling"] = json!({"type": "linear", "factor": 2.0}));
    let message = refusal(folder.path(), &OpenOptions::default());
    assert!(
        message.contains("transformers computes with rope_scaling"),
        "{message}"
    );
    // The same in both ways to write it.
    let folder = with(|config| {
        config["rope_theta"] = json!(500_000);
        let mut old = config["rope_parameters"].clone();
        let entries = old.as_object_mut().unwrap();
        entries.remove("rope_theta");
        let kind = entries.remove("rope_type").unwrap();
        entries.insert("type".to_owned(), kind);
        config["rope_scaling"] = old;
    });
    Checkpoint::open(folder.path()).unwrap();
}

#[test]
fn a_snapshot_is_called_by_its_repository() {
    let cache = tempfile::tempdir().unwrap();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let snapshot = cache
        .path()
        .join("models--org--Some-Model/snapshots")
        .join(commit);
    std::fs::create_dir_all(&snapshot).unwrap();
    let source = data("tiny").join("tied");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(source.join(file), snapshot.join(file)).unwrap();
    }
    let store = Store::new(Settings {
        cache: cache.path().join("own"),
        ..Settings::from_env().unwrap()
    });
    let name =
        |path: &std::path::Path| store.resolve(path.to_str().unwrap(), &Silent).unwrap().name;
    assert_eq!(name(&snapshot), "Some-Model");
    let checkpoint = Checkpoint::open(&snapshot).unwrap();
    assert_eq!(checkpoint.provenance().name(), "Some-Model");
    // A file there is a link to one that is called by its digest.
    #[cfg(unix)]
    {
        let blob = cache.path().join("e3b0c442");
        std::fs::copy(source.join("model.gguf"), &blob).unwrap();
        let link = snapshot.join("some-model-q8.gguf");
        std::os::unix::fs::symlink(&blob, &link).unwrap();
        assert_eq!(name(&link), "some-model-q8.gguf");
    }
}
