//! The header of a trace file: what a [`Meta`] looks like in it, both ways.
//!
//! A safetensors file is the header's length (u64, little-endian), the header (JSON), and the tensors' bytes.

use std::collections::{BTreeMap, HashMap};

use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{Dtype, FORMAT, Meta};

/// One tensor of the file.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: Dtype,
}

impl Entry {
    /// Size of the tensor.
    pub(crate) fn bytes(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64 * self.dtype.size() as u64
    }
}

/// The file up to the first tensor's bytes, of a length that is a multiple of 8.
pub(crate) fn header(metadata: &BTreeMap<&'static str, String>, entries: &[&Entry]) -> Vec<u8> {
    let json =
        serde_json::to_vec(&Header { metadata, entries }).expect("strings and numbers are JSON");
    let padded = json.len().next_multiple_of(8);
    let mut header = (padded as u64).to_le_bytes().to_vec();
    header.extend(json);
    header.resize(8 + padded, b' ');
    header
}

struct Header<'a> {
    metadata: &'a BTreeMap<&'static str, String>,
    entries: &'a [&'a Entry],
}

#[derive(serde::Serialize)]
struct Described<'a> {
    dtype: &'static str,
    shape: &'a [usize],
    data_offsets: [u64; 2],
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + self.entries.len()))?;
        map.serialize_entry("__metadata__", self.metadata)?;
        let mut start = 0;
        for entry in self.entries {
            let end = start + entry.bytes();
            let described = Described {
                dtype: entry.dtype.in_file(),
                shape: &entry.shape,
                data_offsets: [start, end],
            };
            map.serialize_entry(&entry.name, &described)?;
            start = end;
        }
        map.end()
    }
}

/// The metadata of a file: strings as they are, all else as JSON.
pub(crate) fn metadata(meta: &Meta) -> BTreeMap<&'static str, String> {
    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).expect("finite numbers, lists and strings are JSON")
    }
    let mut metadata = BTreeMap::from([
        ("format", FORMAT.to_owned()),
        ("model", meta.model.clone()),
        ("library", meta.library.clone()),
        ("text", meta.text.clone()),
        ("tokens", json(&meta.tokens)),
        ("spans", json(&meta.spans)),
        ("prefix_tokens", json(&meta.prefix_tokens)),
        ("layers", json(&meta.layers)),
        ("edits", json(&meta.edits)),
        ("qk_dtype", meta.qk_dtype.name().to_owned()),
    ]);
    metadata.extend(meta.model_sha256.clone().map(|hash| ("model_sha256", hash)));
    let change = meta.qk_rounding_max_weight_change;
    metadata.extend(change.map(|change| ("qk_rounding_max_weight_change", json(&change))));
    metadata
}

/// Reads the metadata of a file, and says why where it cannot.
pub(crate) fn parse(mut metadata: HashMap<String, String>) -> Result<Meta, String> {
    // First the format: of another version's file, nothing else need be as it is here.
    let format = take(&mut metadata, "format")?;
    if format != FORMAT {
        return Err(format!(
            "its format is {format:?}, and this version reads {FORMAT:?}"
        ));
    }
    let dtype = take(&mut metadata, "qk_dtype")?;
    let dtypes = [Dtype::F32, Dtype::F16];
    let qk_dtype = dtypes.into_iter().find(|d| d.name() == dtype);
    let meta = Meta {
        model: take(&mut metadata, "model")?,
        model_sha256: metadata.remove("model_sha256"),
        library: take(&mut metadata, "library")?,
        text: take(&mut metadata, "text")?,
        tokens: take_json(&mut metadata, "tokens")?,
        spans: take_json(&mut metadata, "spans")?,
        prefix_tokens: take_json(&mut metadata, "prefix_tokens")?,
        layers: take_json(&mut metadata, "layers")?,
        edits: take_json(&mut metadata, "edits")?,
        qk_dtype: qk_dtype
            .ok_or_else(|| format!("`qk_dtype` is {dtype:?}, neither f32 nor f16"))?,
        qk_rounding_max_weight_change: match metadata.contains_key("qk_rounding_max_weight_change")
        {
            true => Some(take_json(&mut metadata, "qk_rounding_max_weight_change")?),
            false => None,
        },
    };
    match metadata.keys().min() {
        Some(unknown) => Err(format!(
            "its metadata has {unknown:?}, which {FORMAT} does not know"
        )),
        None => Ok(meta),
    }
}

/// Takes out a value that must be there.
fn take(metadata: &mut HashMap<String, String>, key: &str) -> Result<String, String> {
    let value = metadata.remove(key);
    value.ok_or_else(|| format!("its metadata has no `{key}`"))
}

/// Takes out a value that must be there, as JSON.
fn take_json<T: DeserializeOwned>(
    metadata: &mut HashMap<String, String>,
    key: &str,
) -> Result<T, String> {
    let value = take(metadata, key)?;
    serde_json::from_str(&value).map_err(|error| format!("`{key}` of its metadata: {error}"))
}
