//! The tensors of safetensors files.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::family::Family;
use super::map::MappedFile;
use super::stored_type::BLOCK;
use super::weights::{Scales, StoredTensor};
use super::{Error, StoredType};
use crate::printable::printable;

/// A tensor as a header has it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Index of its file.
    file: usize,
    bytes: Range<usize>,
    dtype: Dtype,
    shape: Vec<usize>,
}

/// Tensors by name.
pub(crate) type Entries = HashMap<String, Entry>;

/// Reads the header of `file`, which will be file `index` of the checkpoint. The safetensors
/// library checks that the tensors lie in the file, in order, without gaps or overlaps, and
/// that each has the bytes its shape asks for; of two tensors with one name, which the format
/// forbids, it would take the last. Tensors that the family ignores may be of any type.
pub(crate) fn read_header(
    file: &MappedFile,
    index: usize,
    family: &Family,
) -> Result<Entries, Error> {
    let bad = |detail: String| Error::Safetensors {
        path: file.path().to_owned(),
        detail,
    };
    let (header, metadata) =
        SafeTensors::read_metadata(file.bytes()).map_err(|error| bad(error.to_string()))?;
    let data_start = header + size_of::<u64>();
    let names = serde_json::Deserializer::from_slice(&file.bytes()[size_of::<u64>()..data_start])
        .deserialize_map(DistinctNames);
    names.map_err(|error| bad(error.to_string()))?;
    let mut entries = Entries::new();
    for (name, info) in metadata.tensors() {
        if family.ignores(&name) {
            continue;
        }
        if info.shape.is_empty() || info.shape.contains(&0) {
            return Err(bad(format!(
                "tensor {} has the shape {}, which holds no matrix or vector",
                printable(&name),
                printable(&format!("{:?}", info.shape))
            )));
        }
        let (start, end) = info.data_offsets;
        let entry = Entry {
            file: index,
            bytes: data_start + start..data_start + end,
            dtype: info.dtype,
            shape: info.shape.clone(),
        };
        entries.insert(name, entry);
    }
    Ok(entries)
}

/// The tensors that can be read. Blocks of 4-bit floats (`NAME_blocks`) and their scales (`NAME_scales`) become one, of NAME.
///
/// # Errors
/// [`Error::TensorType`] where one is of another type.
pub(crate) fn stored(
    mut entries: Entries,
    files: &[MappedFile],
) -> Result<HashMap<String, StoredTensor>, Error> {
    let mut tensors = HashMap::new();
    let mut names: Vec<String> = entries.keys().cloned().collect();
    names.sort_unstable();
    for name in &names {
        let base = name.strip_suffix("_blocks");
        let Some(base) = base.filter(|&base| !entries.contains_key(base)) else {
            continue;
        };
        let scales = format!("{base}_scales");
        let pair = entries.get(name).zip(entries.get(&scales));
        if let Some(tensor) = pair.and_then(|(blocks, scales)| in_two_places(blocks, scales)) {
            tensors.insert(base.to_owned(), tensor);
            entries.remove(name);
            entries.remove(&scales);
        }
    }
    // What is left of them has no other half that fits it.
    let shape_of = |name: &str| entries.get(name).map(|entry| entry.shape.clone());
    let halves: HashMap<String, String> = names
        .iter()
        .filter_map(|name| {
            let other = match name.strip_suffix("_blocks") {
                Some(base) => format!("{base}_scales"),
                None => format!("{}_blocks", name.strip_suffix("_scales")?),
            };
            Some((
                name.clone(),
                unfit(&shape_of(name)?, (&other, shape_of(&other))),
            ))
        })
        .collect();
    for name in names {
        let Some(entry) = entries.remove(&name) else {
            continue;
        };
        let dtype = float_type(entry.dtype).ok_or_else(|| Error::TensorType {
            path: files[entry.file].path().to_owned(),
            name: name.clone(),
            found: match halves.get(&name) {
                Some(unfit) if entry.dtype == Dtype::U8 => unfit.clone(),
                _ => format!("{:?}", entry.dtype),
            },
            supported: "F32, F16, BF16",
        })?;
        let tensor = StoredTensor {
            dtype,
            ..StoredTensor::new(entry.file, entry.bytes, entry.shape)
        };
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

/// What is wrong with blocks of 4-bit floats, or with their scales.
fn unfit(shape: &[usize], (other, its_shape): (&str, Option<Vec<usize>>)) -> String {
    let beside = match its_shape {
        Some(its_shape) => format!(
            "{} of {its_shape:?} beside it does not fit",
            printable(other)
        ),
        None => format!("there is no {} beside it", printable(other)),
    };
    format!(
        "U8 and of {shape:?}, where {beside} (4-bit floats are _blocks [rows, columns / 32, 16] and _scales [rows, columns / 32])"
    )
}

/// 4-bit floats [… , rows, columns] of blocks [… , rows, columns / 32, 16] and scales [… , rows, columns / 32], both bytes.
fn in_two_places(blocks: &Entry, scales: &Entry) -> Option<StoredTensor> {
    let (&sixteen, by_block) = blocks.shape.split_last()?;
    let (&each_row, rows) = by_block.split_last()?;
    let are_bytes = (blocks.dtype, scales.dtype) == (Dtype::U8, Dtype::U8);
    if !are_bytes || sixteen != BLOCK / 2 || by_block != scales.shape || rows.is_empty() {
        return None;
    }
    let mut shape = rows.to_vec();
    shape.push(each_row * BLOCK);
    Some(StoredTensor {
        dtype: StoredType::Mxfp4Apart,
        scales: Some(Scales {
            file: scales.file,
            bytes: scales.bytes.clone(),
        }),
        ..StoredTensor::new(blocks.file, blocks.bytes.clone(), shape)
    })
}

/// Refuses an object that has a key twice.
struct DistinctNames;

impl<'de> Visitor<'de> for DistinctNames {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            if let Some(name) = seen.replace(name) {
                let name = printable(&name);
                return Err(serde::de::Error::custom(format!(
                    "the name {name} stands in its header twice"
                )));
            }
        }
        Ok(())
    }
}

fn float_type(dtype: Dtype) -> Option<StoredType> {
    match dtype {
        Dtype::F32 => Some(StoredType::F32),
        Dtype::F16 => Some(StoredType::F16),
        Dtype::BF16 => Some(StoredType::BF16),
        _ => None,
    }
}

/// Which tensors stand in which file of a sharded checkpoint.
pub(crate) fn read_index(
    path: &Path,
    json: &serde_json::Value,
) -> Result<Vec<(String, String)>, Error> {
    let bad = |detail: String| Error::Index {
        path: path.to_owned(),
        detail,
    };
    let map = json
        .get("weight_map")
        .and_then(serde_json::Value::as_object)
        .ok_or_else(|| bad("it has no weight_map".to_owned()))?;
    map.iter()
        .map(|(name, file)| {
            let file = file.as_str().ok_or_else(|| {
                bad(format!(
                    "the file of tensor {} is not a text",
                    printable(name)
                ))
            })?;
            // A name only: the index may not point out of the folder.
            let plain = Path::new(file).file_name().is_some_and(|name| name == file)
                && !file.contains(char::is_control);
            if !plain {
                return Err(bad(format!(
                    "tensor {} is said to be in {}, which is not the name of a file beside it",
                    printable(name),
                    printable(&format!("{file:?}"))
                )));
            }
            Ok((name.clone(), file.to_owned()))
        })
        .collect()
}
