//! The tensors of safetensors files.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;

use candle_core::quantized::GgmlDType;
use safetensors::{Dtype, SafeTensors};
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::Error;
use super::family::Family;
use super::map::MappedFile;
use super::weights::{Order, StoredTensor};
use crate::printable::printable;

/// Reads the header of `file`, which will be file `index` of the checkpoint. The safetensors
/// library checks that the tensors lie in the file, in order, without gaps or overlaps, and
/// that each has the bytes its shape asks for; of two tensors with one name, which the format
/// forbids, it would take the last. Tensors that the family ignores may be of any type.
pub(crate) fn read_header(
    file: &MappedFile,
    index: usize,
    family: &Family,
) -> Result<HashMap<String, StoredTensor>, Error> {
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
    let mut tensors = HashMap::new();
    for (name, info) in metadata.tensors() {
        if family.ignores(&name) {
            continue;
        }
        let dtype = float_type(info.dtype).ok_or_else(|| Error::TensorType {
            path: file.path().to_owned(),
            name: name.clone(),
            found: format!("{:?}", info.dtype),
            supported: "F32, F16, BF16",
        })?;
        if info.shape.is_empty() || info.shape.contains(&0) {
            return Err(bad(format!(
                "tensor {} has the shape {}, which holds no matrix or vector",
                printable(&name),
                printable(&format!("{:?}", info.shape))
            )));
        }
        let (start, end) = info.data_offsets;
        let tensor = StoredTensor {
            file: index,
            bytes: data_start + start..data_start + end,
            dtype,
            shape: info.shape.clone(),
            order: Order::AsStored,
        };
        tensors.insert(name, tensor);
    }
    Ok(tensors)
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

fn float_type(dtype: Dtype) -> Option<GgmlDType> {
    match dtype {
        Dtype::F32 => Some(GgmlDType::F32),
        Dtype::F16 => Some(GgmlDType::F16),
        Dtype::BF16 => Some(GgmlDType::BF16),
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
