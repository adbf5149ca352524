//! PyTorch's files against the same checkpoints in safetensors.

use lookback_model::checkpoint::{Checkpoint, OpenOptions};
use serde_json::json;

use crate::common::{Tensors, data};
use crate::{copy, edit_json, refusal};

/// All numbers of `tensor`.
fn numbers(checkpoint: &Checkpoint, tensor: &str) -> Vec<f32> {
    let tensor = checkpoint.tensor_f32(tensor).unwrap();
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn same_tensors(pickled: &str, plain: &str) -> Checkpoint {
    let checkpoint = Checkpoint::open(&data("wild").join(pickled)).unwrap();
    let source = data("tiny").join(plain);
    let bytes = std::fs::read(source.join("model.safetensors")).unwrap();
    let original = Checkpoint::open(&source).unwrap();
    let names = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for name in names.names() {
        let (found, expected) = (numbers(&checkpoint, name), numbers(&original, name));
        assert!(found == expected, "{name}");
        assert_eq!(
            checkpoint.stored_type(name).unwrap(),
            original.stored_type(name).unwrap()
        );
    }
    checkpoint
}

/// One whose tensors share a storage, lie transposed, begin within a storage or have gaps.
#[test]
fn a_state_dictionary_is_read_wherever_its_tensors_lie() {
    let checkpoint = same_tensors("pickled", "tied");
    assert!(checkpoint.spec().tied() && checkpoint.notes().is_empty());
    let files: Vec<_> = checkpoint.provenance().weight_files().collect();
    assert_eq!(
        files,
        [data("wild").join("pickled").join("pytorch_model.bin")]
    );
    assert!(checkpoint.provenance().stamp().is_some());
    assert_eq!(checkpoint.provenance().sha256().unwrap().len(), 64);
}

#[test]
fn shards_are_read_by_their_index() {
    let checkpoint = same_tensors("pickled-shards", "untied-bf16");
    assert_eq!(checkpoint.provenance().weight_files().count(), 2);
    let expected = Tensors::open(
        &data("tiny")
            .join("untied-bf16")
            .join("expected.safetensors"),
    );
    let model =
        lookback_model::Model::from_checkpoint(checkpoint, &lookback_model::LoadOptions::default());
    let options = lookback_model::PrefillOptions {
        logits: lookback_model::Logits::All,
        ..lookback_model::PrefillOptions::default()
    };
    let ids = expected.ids("input_ids");
    let logits = model.unwrap().prefill(&ids, &options).unwrap().logits;
    let off = crate::common::max_difference(&logits, &expected.get("logits"));
    assert!(off < 1e-4, "{off}");
}

#[test]
fn an_index_of_pickles_may_name_more_and_other_shards_than_there_are() {
    let folder = copy(&data("wild").join("pickled-shards"));
    let index = folder.path().join("pytorch_model.bin.index.json");
    edit_json(&index, |index| {
        let map = index["weight_map"].as_object_mut().unwrap();
        let (first, second) = (
            "pytorch_model-00001-of-00002.bin",
            "pytorch_model-00002-of-00002.bin",
        );
        assert_eq!(map["lm_head.weight"], json!(first));
        map.insert("lm_head.weight".to_owned(), json!(second));
        map.insert("model.extra.weight".to_owned(), json!(second));
    });
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let notes = checkpoint.notes().join("; ");
    assert!(
        notes.contains("shards hold lm_head.weight, which the index does not name there")
            && notes.contains("the index names model.extra.weight, which no shard holds"),
        "{notes}"
    );
    edit_json(&index, |index| {
        index["weight_map"]["lm_head.weight"] = json!("pytorch_model-00003-of-00003.bin");
    });
    let message = refusal(folder.path(), &OpenOptions::default());
    assert!(
        message.contains("cannot read") && message.contains("00003-of-00003"),
        "{message}"
    );
}

#[test]
fn safetensors_come_first() {
    let folder = copy(&data("tiny").join("tied"));
    std::fs::write(folder.path().join("pytorch_model.bin"), "nonsense").unwrap();
    Checkpoint::open(folder.path()).unwrap();
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    let message = refusal(folder.path(), &OpenOptions::default());
    assert!(
        message.contains("pytorch_model.bin") && message.contains("no zip archive"),
        "{message}"
    );
}

#[test]
fn a_file_that_is_cut_short_anywhere_is_an_error() {
    let folder = copy(&data("wild").join("pickled"));
    let path = folder.path().join("pytorch_model.bin");
    let whole = std::fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(997) {
        std::fs::write(&path, &whole[..length]).unwrap();
        refusal(folder.path(), &OpenOptions::default());
    }
}

/// Bytes changed at random are an error or another model, and nothing worse.
#[test]
fn changed_bytes_end_in_an_error_or_in_other_numbers() {
    let folder = copy(&data("wild").join("pickled"));
    let path = folder.path().join("pytorch_model.bin");
    let whole = std::fs::read(&path).unwrap();
    let mut state = 1_u64;
    let mut draw = |below: usize| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    // The pickle stands at the beginning, and the directory at the end.
    let mut refused = 0;
    for turn in 0..1500 {
        let mut bytes = whole.clone();
        for _ in 0..1 + draw(3) {
            let at = match turn % 2 {
                0 => draw(8000.min(bytes.len())),
                _ => bytes.len() - 1 - draw(6000.min(bytes.len())),
            };
            bytes[at] = draw(256) as u8;
        }
        std::fs::write(&path, bytes).unwrap();
        match Checkpoint::open(folder.path()) {
            Err(error) => {
                refused += 1;
                assert!(error.to_string().len() < 4000);
            }
            Ok(checkpoint) => {
                let _ = checkpoint.tensor_f32("model.layers.1.mlp.down_proj.weight");
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

/// A file that many names lead to allows its copies once.
#[test]
fn one_file_under_many_names_is_one_file() {
    let folder = copy(&data("wild").join("pickled"));
    let file = folder.path().join("pytorch_model.bin");
    let mut map = serde_json::Map::new();
    for shard in 0..40 {
        let name = format!("shard-{shard}.bin");
        std::fs::hard_link(&file, folder.path().join(&name)).unwrap();
        map.insert(format!("t{shard}"), json!(name));
    }
    std::fs::remove_file(&file).unwrap();
    let index = folder.path().join("pytorch_model.bin.index.json");
    std::fs::write(&index, json!({ "weight_map": map }).to_string()).unwrap();
    let message = refusal(folder.path(), &OpenOptions::default());
    assert!(message.contains("more than 4 times its bytes"), "{message}");
}
