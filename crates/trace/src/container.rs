//! The container of a trace, a safetensors file: a header that names its tensors, and their bytes.
//!
//! The file is the header's length (u64, little-endian), the header (JSON), and the tensors' bytes. The header maps
//! each tensor's name to `{dtype, shape, data_offsets}` (offsets from the header's end) and `__metadata__` to
//! strings.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::io::Read;

use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{Dtype, quoted};

/// The largest header that is read: room for more than a million tokens, at some 30 bytes each for id, span and text.
const LARGEST_HEADER: u64 = 64 << 20;

/// One tensor to be written.
#[derive(Debug)]
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
pub(crate) fn header(metadata: &BTreeMap<String, String>, entries: &[&Entry]) -> Vec<u8> {
    let json =
        serde_json::to_vec(&Out { metadata, entries }).expect("strings and numbers are JSON");
    let padded = json.len().next_multiple_of(8);
    let mut header = (padded as u64).to_le_bytes().to_vec();
    header.extend(json);
    header.resize(8 + padded, b' ');
    header
}

/// A header to be written.
struct Out<'a> {
    metadata: &'a BTreeMap<String, String>,
    entries: &'a [&'a Entry],
}

impl Serialize for Out<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Described<'a> {
            dtype: &'static str,
            shape: &'a [usize],
            data_offsets: [u64; 2],
        }
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

/// The header of a file that has been read.
pub(crate) struct Header {
    /// Where in the file the tensors' bytes begin.
    pub(crate) data_start: usize,
    /// Names, types, shapes and places of the tensors. Each lies in the file, and has as many bytes as it needs.
    pub(crate) tensors: Metadata,
}

/// Reads a file's header, or says what is wrong with it.
///
/// It is copied into memory of its own, since it is text whose soundness is checked first and relied on then, and the
/// file may be mapped.
pub(crate) fn read_header(mut file: &[u8]) -> Result<Header, String> {
    let broken = |error: std::io::Error| format!("it could not be read ({error})");
    let file_len = file.len() as u64;
    let mut len = [0; 8];
    if file_len < 8 {
        return Err(format!(
            "it has {file_len} bytes, too few for a safetensors file"
        ));
    }
    file.read_exact(&mut len).map_err(broken)?;
    let len = u64::from_le_bytes(len);
    if len > LARGEST_HEADER {
        return Err(format!(
            "it announces a header of {len} bytes, and at most {LARGEST_HEADER} are read: \
             this is no safetensors file, or no trace"
        ));
    }
    if len > file_len - 8 {
        return Err(format!(
            "it announces a header of {len} bytes in a file of {file_len}: it is cut short, or no safetensors file"
        ));
    }
    let mut json = vec![0; len as usize];
    file.read_exact(&mut json).map_err(broken)?;
    let In { metadata, tensors } = serde_json::from_slice(&json)
        .map_err(|error| format!("its header is damaged ({error})"))?;
    let tensors = Metadata::new(metadata, tensors)
        .map_err(|error| format!("its header contradicts itself ({error})"))?;
    let needed = (8 + len).saturating_add(tensors.data_len() as u64);
    if needed != file_len {
        return Err(format!(
            "its header describes a file of {needed} bytes, and there are {file_len}: it is cut short, or damaged"
        ));
    }
    Ok(Header {
        data_start: 8 + len as usize,
        tensors,
    })
}

/// A header as it is read: tensors in the order of their bytes. Each name may stand there once.
struct In {
    metadata: Option<HashMap<String, String>>,
    tensors: Vec<(String, TensorInfo)>,
}

impl<'de> Deserialize<'de> for In {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InVisitor)
    }
}

/// Reads entry by entry. (A derived `flatten` would first hold everything as untyped values, many times its size.)
struct InVisitor;

impl<'de> Visitor<'de> for InVisitor {
    type Value = In;

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str("a map from names to tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<In, A::Error> {
        let mut names = HashSet::new();
        let mut header = In {
            metadata: None,
            tensors: Vec::new(),
        };
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format_args!(
                    "{} stands there twice",
                    quoted(&name)
                )));
            }
            if name == "__metadata__" {
                header.metadata = map.next_value()?;
            } else {
                header.tensors.push((name, map.next_value()?));
            }
        }
        header.tensors.sort_by_key(|(_, info)| info.data_offsets);
        Ok(header)
    }
}
