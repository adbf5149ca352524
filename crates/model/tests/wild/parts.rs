//! GGUF files in parts.

use lookback_model::checkpoint::{Checkpoint, OpenOptions};
use tempfile::TempDir;

use crate::gguf_bytes::{Entry, File, llama};
use crate::refusal;

fn name(index: usize, count: usize) -> String {
    format!("small-{:05}-of-{count:05}.gguf", index + 1)
}

/// A good file in `count` parts, of which the first has the metadata.
fn parts(count: usize) -> Vec<File> {
    let whole = llama();
    let all = whole.tensors.len();
    (0..count)
        .map(|index| {
            let mut part = whole.clone();
            if index > 0 {
                part.entries.clear();
            }
            part.tensors = (whole.tensors.iter().cloned().enumerate())
                .filter(|(at, _)| at % count == index)
                .map(|(_, tensor)| tensor)
                .collect();
            const U16: u32 = 2;
            let number = |value: usize| Entry::Raw(U16, (value as u16).to_le_bytes().to_vec());
            part.set("split.no", number(index));
            part.set("split.count", number(count));
            part.set("split.tensors.count", Entry::U32(all as u32));
            part
        })
        .collect()
}

fn written(parts: &[File]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (index, part) in parts.iter().enumerate() {
        std::fs::write(folder.path().join(name(index, parts.len())), part.bytes()).unwrap();
    }
    folder
}

fn numbers(checkpoint: &Checkpoint) -> Vec<f32> {
    let names = [
        "model.embed_tokens.weight",
        "model.layers.0.mlp.down_proj.weight",
        "model.norm.weight",
    ];
    names
        .iter()
        .flat_map(|name| {
            let tensor = checkpoint.tensor_f32(name).unwrap();
            tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        })
        .collect()
}

#[test]
fn any_part_stands_for_all() {
    let whole = numbers(&llama().open().unwrap());
    let folder = written(&parts(3));
    for index in 0..3 {
        let checkpoint = Checkpoint::open(&folder.path().join(name(index, 3))).unwrap();
        assert_eq!(numbers(&checkpoint), whole);
        let files = checkpoint.provenance().weight_files();
        let files: Vec<_> = files.map(|file| file.to_owned()).collect();
        let expected: Vec<_> = (0..3)
            .map(|index| folder.path().join(name(index, 3)))
            .collect();
        assert_eq!(files, expected);
    }
}

fn message(folder: &TempDir, index: usize) -> String {
    refusal(&folder.path().join(name(index, 3)), &OpenOptions::default())
}

#[test]
fn a_missing_part_is_named() {
    let folder = written(&parts(3));
    std::fs::remove_file(folder.path().join(name(1, 3))).unwrap();
    let message = message(&folder, 2);
    assert!(
        message.contains("one of 3 parts")
            && message.contains("small-00002-of-00003.gguf is not there"),
        "{message}"
    );
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let all = parts(3);
    let folder = written(&[all[0].clone(), all[2].clone(), all[1].clone()]);
    let said = message(&folder, 0);
    assert!(
        said.contains("00002-of-00003.gguf says that it is part 3 of 3"),
        "{said}"
    );
    // A part under a name that is no part's.
    let path = folder.path().join("small.gguf");
    std::fs::write(&path, all[1].bytes()).unwrap();
    let said = refusal(&path, &OpenOptions::default());
    assert!(said.contains("must end in -00002-of-00003.gguf"), "{said}");
    // A tensor that stands in two of them, and one that stands in none.
    let mut twice = parts(3);
    let tensor = twice[0].tensors[0].clone();
    twice[1].tensors.push(tensor);
    let said = message(&written(&twice), 0);
    assert!(said.contains("token_embd.weight"), "{said}");
    let mut fewer = parts(3);
    fewer[2].tensors.pop();
    let said = message(&written(&fewer), 0);
    assert!(said.contains("split.tensors.count"), "{said}");
    // Numbers that are no places.
    let mut wrong = parts(3);
    wrong[0].set("split.count", Entry::Text("three"));
    let said = message(&written(&wrong), 0);
    assert!(said.contains("split.count"), "{said}");
}
