//! Shards of safetensors and an index that say different things: read as transformers does, with a note.

use lookback_model::checkpoint::{Checkpoint, OpenOptions};
use serde_json::json;

use crate::common::data;
use crate::{copy, edit_json, refusal};

const INDEX: &str = "model.safetensors.index.json";

#[test]
fn what_the_index_does_not_name_is_read_from_the_shards_that_it_names() {
    let folder = copy(&data("tiny").join("sharded"));
    edit_json(&folder.path().join(INDEX), |index| {
        let map = index["weight_map"].as_object_mut().unwrap();
        map.remove("model.norm.weight").unwrap();
    });
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let [note] = checkpoint.notes() else {
        panic!("{:?}", checkpoint.notes());
    };
    assert!(
        note.contains("shards hold model.norm.weight, which the index does not name there"),
        "{note}"
    );
    let original = Checkpoint::open(&data("tiny").join("sharded")).unwrap();
    assert!(original.notes().is_empty());
    let norm = |checkpoint: &Checkpoint| {
        let norm = checkpoint.tensor_f32("model.norm.weight").unwrap();
        norm.to_vec1::<f32>().unwrap()
    };
    assert_eq!(norm(&checkpoint), norm(&original));
}

#[test]
fn what_no_shard_holds_is_worth_a_note_unless_it_is_needed() {
    let folder = copy(&data("tiny").join("sharded"));
    let shard = "model-00001-of-00003.safetensors";
    edit_json(&folder.path().join(INDEX), |index| {
        index["weight_map"]["model.extra.weight"] = json!(shard);
        index["weight_map"]["model.other.weight"] = json!(shard);
    });
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let [note] = checkpoint.notes() else {
        panic!("{:?}", checkpoint.notes());
    };
    let expected = "the index names model.extra.weight and 1 more, which no shard holds";
    assert!(note.contains(expected), "{note}");
    // A tensor that the model needs.
    let folder = copy(&data("tiny").join("sharded"));
    std::fs::copy(
        folder.path().join("model-00001-of-00003.safetensors"),
        folder.path().join("model-00003-of-00003.safetensors"),
    )
    .unwrap();
    let message = refusal(folder.path(), &OpenOptions::default());
    assert!(message.contains("no tensor"), "{message}");
}

#[test]
fn shards_that_the_index_does_not_name_are_worth_a_note() {
    let folder = copy(&data("tiny").join("sharded"));
    let shard = folder.path().join("model-00001-of-00003.safetensors");
    std::fs::copy(
        &shard,
        folder.path().join("model-00004-of-00004.safetensors"),
    )
    .unwrap();
    std::fs::copy(&shard, folder.path().join("consolidated.safetensors")).unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let [note] = checkpoint.notes() else {
        panic!("{:?}", checkpoint.notes());
    };
    assert!(
        note.contains("does not name model-00004-of-00004.safetensors: not read"),
        "{note}"
    );
}
