//! The files of a folder that hold its weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Error;
use super::family::Family;
use super::map::MappedFile;
use super::safetensors::{Entries, read_header, read_index, stored};
use super::small_files::read_json;
use super::weights::Weights;
use crate::printable::printable;

/// The weights, and notes where files hold other things than they should.
pub(super) fn read_weights(
    folder: &Path,
    family: &Family,
) -> Result<(Weights, Vec<String>), Error> {
    let single = folder.join("model.safetensors");
    if single.exists() {
        let files = vec![MappedFile::open(&single)?];
        let tensors = stored(read_header(&files[0], 0, family)?, &files)?;
        return Ok((Weights::new(files, tensors), Vec::new()));
    }
    let index = folder.join("model.safetensors.index.json");
    if index.exists() {
        return read_shards(folder, &index, family);
    }
    let other = ["pytorch_model.bin", "pytorch_model.bin.index.json"]
        .into_iter()
        .find(|name| folder.join(name).exists());
    let hint = match other {
        Some(name) => format!("; {name} cannot be read: convert it to safetensors"),
        None => ", and no model.safetensors.index.json either".to_owned(),
    };
    Err(Error::MissingFile {
        folder: folder.to_owned(),
        file: "model.safetensors",
        hint,
    })
}

/// Which shard each tensor is said to be in.
pub(super) type Index = BTreeMap<String, String>;

/// Reads the shards that the index names, all of each, as transformers does: where several hold a tensor, the last counts,
/// wherever the index puts it.
fn read_shards(
    folder: &Path,
    index_path: &Path,
    family: &Family,
) -> Result<(Weights, Vec<String>), Error> {
    let index: Index = read_index(index_path, &read_json(index_path)?)?
        .into_iter()
        .collect();
    let shards: BTreeSet<&String> = index.values().collect();
    let (mut files, mut entries) = (Vec::new(), Entries::new());
    let mut elsewhere = Differences::default();
    for &shard in &shards {
        let file = MappedFile::open(&folder.join(shard))?;
        for (name, entry) in read_header(&file, files.len(), family)? {
            if index.get(&name) != Some(shard) {
                elsewhere.add(&name);
            }
            entries.insert(name, entry);
        }
        files.push(file);
    }
    let mut notes = Vec::new();
    notes.extend(elsewhere.note(|what| {
        format!("shards hold {what}, which the index does not name there: read, as transformers does")
    }));
    notes.extend(missing(&index, family, |name| entries.contains_key(name)));
    notes.extend(unnamed_shards(folder, &shards));
    let tensors = stored(entries, &files)?;
    Ok((Weights::new(files, tensors), notes))
}

/// Notes of what the index names and no shard holds, or nobody needs. Whether something that is needed is missing is seen later.
pub(super) fn missing(
    index: &Index,
    family: &Family,
    is_held: impl Fn(&str) -> bool,
) -> Vec<String> {
    let (mut ignored, mut missing) = (Differences::default(), Differences::default());
    for name in index.keys().filter(|name| !is_held(name)) {
        match family.ignores(name) {
            true => ignored.add(name),
            false => missing.add(name),
        }
    }
    let ignored = ignored.note(|what| {
        format!("the index names {what}, which takes no part in the computation: not read")
    });
    let missing = missing.note(|what| format!("the index names {what}, which no shard holds"));
    ignored.into_iter().chain(missing).collect()
}

/// A note of shards that lie there and that the index does not name.
fn unnamed_shards(folder: &Path, named: &BTreeSet<&String>) -> Option<String> {
    let mut unnamed = Differences::default();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_shard = name.starts_with("model-") && name.ends_with(".safetensors");
        if is_shard && !named.contains(&name) {
            unnamed.add(&name);
        }
    }
    unnamed.note(|what| format!("the index does not name {what}: not read"))
}

/// Names of one kind: the first, and how many there are.
#[derive(Default)]
pub(super) struct Differences {
    first: Option<String>,
    count: usize,
}

impl Differences {
    pub(super) fn add(&mut self, name: &str) {
        self.count += 1;
        if self.first.as_deref().is_none_or(|first| name < first) {
            self.first = Some(name.to_owned());
        }
    }

    /// A note of `NAME`, or `NAME and n more`.
    pub(super) fn note(self, text: impl Fn(&str) -> String) -> Option<String> {
        let first = printable(&self.first?);
        Some(match self.count {
            1 => text(&first),
            count => text(&format!("{first} and {} more", count - 1)),
        })
    }
}
