//! The files of a folder that hold its weights.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use lookback_trace::FileStamp;

use super::Error;
use super::family::Family;
use super::map::MappedFile;
use super::pickle::{self, Copies};
use super::safetensors::{Entries, read_header, read_index, stored};
use super::small_files::read_json;
use super::weights::{StoredTensor, Weights};
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
    let single = folder.join("pytorch_model.bin");
    if single.exists() {
        return Ok((read_pickled(&single, family)?, Vec::new()));
    }
    let index = folder.join("pytorch_model.bin.index.json");
    if index.exists() {
        return read_pickled_shards(folder, &index, family);
    }
    Err(Error::MissingFile {
        folder: folder.to_owned(),
        file: "model.safetensors",
        hint: ", and no model.safetensors.index.json, pytorch_model.bin or pytorch_model.bin.index.json either"
            .to_owned(),
    })
}

/// Files of PyTorch's, and their tensors.
#[derive(Default)]
struct Pickles {
    files: Vec<MappedFile>,
    /// Which files these are: one that is named many times allows no more than once.
    stamps: Vec<FileStamp>,
    /// [`Copies::left`].
    left: usize,
    tensors: HashMap<String, StoredTensor>,
}

impl Pickles {
    /// Adds a file's tensors, and gives their names.
    fn read(&mut self, path: &Path, family: &Family) -> Result<Vec<String>, Error> {
        let file = MappedFile::open(path)?;
        let index = self.files.len();
        if let Some(stamp) = file.stamp().filter(|stamp| !self.stamps.contains(stamp)) {
            self.stamps.push(stamp);
            self.left += Copies::of_file(file.bytes().len());
        }
        let mut copies = Copies {
            next: index + 1,
            bytes: Vec::new(),
            left: self.left,
        };
        let tensors = pickle::read(&file, index, family, &mut copies)?;
        self.left = copies.left;
        self.files.push(file);
        let copies = copies.bytes.into_iter();
        self.files
            .extend(copies.map(|bytes| MappedFile::copied(path, bytes)));
        let names = tensors.keys().cloned().collect();
        self.tensors.extend(tensors);
        Ok(names)
    }

    fn into_weights(self) -> Weights {
        Weights::new(self.files, self.tensors)
    }
}

/// A state dictionary of PyTorch's in one file.
pub(super) fn read_pickled(path: &Path, family: &Family) -> Result<Weights, Error> {
    let mut pickles = Pickles::default();
    pickles.read(path, family)?;
    Ok(pickles.into_weights())
}

/// [`read_shards`] of PyTorch's files.
fn read_pickled_shards(
    folder: &Path,
    index_path: &Path,
    family: &Family,
) -> Result<(Weights, Vec<String>), Error> {
    let index = index_of(index_path)?;
    let shards: BTreeSet<&String> = index.values().collect();
    let (mut pickles, mut elsewhere) = (Pickles::default(), Differences::default());
    for &shard in &shards {
        for name in pickles.read(&folder.join(shard), family)? {
            if index.get(&name) != Some(shard) {
                elsewhere.add(&name);
            }
        }
    }
    let mut notes: Vec<String> = elsewhere.note(of_elsewhere).into_iter().collect();
    notes.extend(missing(&index, family, |name| {
        pickles.tensors.contains_key(name)
    }));
    Ok((pickles.into_weights(), notes))
}

/// Which shard each tensor is said to be in.
type Index = BTreeMap<String, String>;

fn index_of(path: &Path) -> Result<Index, Error> {
    let entries = read_index(path, &read_json(path)?)?;
    Ok(entries.into_iter().collect())
}

/// The note of tensors that the index does not name where they are.
fn of_elsewhere(what: &str) -> String {
    format!("shards hold {what}, which the index does not name there: read, as transformers does")
}

/// Reads the shards that the index names, all of each, as transformers does: where several hold a tensor, the last counts,
/// wherever the index puts it.
fn read_shards(
    folder: &Path,
    index_path: &Path,
    family: &Family,
) -> Result<(Weights, Vec<String>), Error> {
    let index = index_of(index_path)?;
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
    notes.extend(elsewhere.note(of_elsewhere));
    notes.extend(missing(&index, family, |name| entries.contains_key(name)));
    notes.extend(unnamed_shards(folder, &shards));
    let tensors = stored(entries, &files)?;
    Ok((Weights::new(files, tensors), notes))
}

/// Notes of what the index names and no shard holds, or nobody needs. Whether something that is needed is missing is seen later.
fn missing(index: &Index, family: &Family, is_held: impl Fn(&str) -> bool) -> Vec<String> {
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
struct Differences {
    first: Option<String>,
    count: usize,
}

impl Differences {
    fn add(&mut self, name: &str) {
        self.count += 1;
        if self.first.as_deref().is_none_or(|first| name < first) {
            self.first = Some(name.to_owned());
        }
    }

    /// A note of `NAME`, or `NAME and n more`.
    fn note(self, text: impl Fn(&str) -> String) -> Option<String> {
        let first = printable(&self.first?);
        Some(match self.count {
            1 => text(&first),
            count => text(&format!("{first} and {} more", count - 1)),
        })
    }
}
