//! The part of a GGUF file before the numbers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use super::GgufError;
use super::cursor::Cursor;
use super::types::{supported_types, tensor_type};
use super::value::Value;
use crate::checkpoint::StoredType;

/// The fewest bytes of a metadata entry: an empty key, a type and a byte.
const LEAST_ENTRY: usize = 8 + 4 + 1;
/// The fewest bytes of a tensor entry: an empty name, one dimension, a type and an offset.
const LEAST_TENSOR: usize = 8 + 4 + 8 + 4 + 8;
const DEFAULT_ALIGNMENT: u64 = 32;

/// Everything a file says before its numbers.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) metadata: HashMap<String, Value>,
    pub(crate) tensors: Vec<TensorInfo>,
}

/// Where a tensor stands, checked to lie in the file and to share no byte with another.
#[derive(Debug, Clone)]
pub(crate) struct TensorInfo {
    pub(crate) name: String,
    /// Slowest dimension first, so `[out, in]` for a projection.
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: StoredType,
    /// Bytes of the file.
    pub(crate) bytes: Range<usize>,
}

impl Header {
    /// Reads the header of a whole file.
    pub(crate) fn parse(file: &[u8]) -> Result<Self, GgufError> {
        let mut cursor = Cursor::new(file);
        check_version(&mut cursor)?;
        let tensor_count = cursor.count(LEAST_TENSOR, "tensors")?;
        let entry_count = cursor.count(LEAST_ENTRY, "metadata entries")?;
        let metadata = read_metadata(&mut cursor, entry_count)?;
        let alignment = alignment(&metadata)?;
        let entries = read_tensors(&mut cursor, tensor_count)?;
        let data_start = cursor
            .position()
            .checked_next_multiple_of(alignment)
            .filter(|&start| start <= file.len() || entries.is_empty())
            .ok_or(GgufError::Truncated {
                what: "the padding before the tensors",
                offset: cursor.position(),
                needed: alignment as u64,
                left: cursor.left(),
            })?;
        let data = Data {
            start: data_start,
            len: file.len().saturating_sub(data_start),
            alignment,
        };
        let tensors = entries
            .into_iter()
            .map(|entry| entry.locate(&data))
            .collect::<Result<Vec<_>, _>>()?;
        check_overlaps(&tensors)?;
        Ok(Self { metadata, tensors })
    }
}

fn check_version(cursor: &mut Cursor) -> Result<(), GgufError> {
    if cursor.take(4, "the magic").ok() != Some(b"GGUF") {
        return Err(GgufError::Magic);
    }
    match cursor.u32("the version")? {
        2 | 3 => Ok(()),
        found if matches!(found.swap_bytes(), 1..=3) => Err(GgufError::BigEndian),
        found => Err(GgufError::Version { found }),
    }
}

fn read_metadata(cursor: &mut Cursor, count: usize) -> Result<HashMap<String, Value>, GgufError> {
    let mut metadata = HashMap::new();
    for _ in 0..count {
        let key = cursor.text("a metadata key")?.to_owned();
        let value = Value::read(cursor, &key)?;
        match metadata.entry(key) {
            Entry::Vacant(entry) => entry.insert(value),
            Entry::Occupied(entry) => {
                return Err(GgufError::DuplicateKey {
                    key: entry.key().clone(),
                });
            }
        };
    }
    Ok(metadata)
}

/// `general.alignment`, which the format wants to be a multiple of 8.
fn alignment(metadata: &HashMap<String, Value>) -> Result<usize, GgufError> {
    let found = match metadata.get("general.alignment") {
        None => DEFAULT_ALIGNMENT,
        Some(Value::Unsigned(found)) => *found,
        Some(other) => {
            return Err(GgufError::WrongType {
                key: "general.alignment".to_owned(),
                expected: "an unsigned integer",
                found: other.describe(),
            });
        }
    };
    if found.is_power_of_two() && (8..=65536).contains(&found) {
        Ok(found as usize)
    } else {
        Err(GgufError::Alignment { found })
    }
}

/// A tensor as the file describes it.
struct TensorEntry {
    name: String,
    /// Fastest dimension first.
    dimensions: Vec<u64>,
    dtype: u32,
    /// From the beginning of the data.
    offset: u64,
}

/// Where the tensors' numbers stand in the file.
struct Data {
    start: usize,
    len: usize,
    alignment: usize,
}

fn read_tensors(cursor: &mut Cursor, count: usize) -> Result<Vec<TensorEntry>, GgufError> {
    const WHAT: &str = "a tensor's description";
    let mut names = std::collections::HashSet::new();
    let mut entries = Vec::new();
    for _ in 0..count {
        let name = cursor.text("a tensor's name")?.to_owned();
        let rank = cursor.u32(WHAT)?;
        if !(1..=4).contains(&rank) {
            return Err(GgufError::Dimensions {
                name,
                dimensions: vec![0; rank.min(5) as usize],
            });
        }
        let dimensions = (0..rank)
            .map(|_| cursor.u64(WHAT))
            .collect::<Result<_, _>>()?;
        let dtype = cursor.u32(WHAT)?;
        let offset = cursor.u64(WHAT)?;
        if !names.insert(name.clone()) {
            return Err(GgufError::DuplicateTensor { name });
        }
        entries.push(TensorEntry {
            name,
            dimensions,
            dtype,
            offset,
        });
    }
    Ok(entries)
}

impl TensorEntry {
    /// Finds the tensor's bytes, all of them within the data.
    fn locate(self, data: &Data) -> Result<TensorInfo, GgufError> {
        let dtype = match tensor_type(self.dtype) {
            Ok(dtype) => dtype,
            Err(found) => {
                return Err(GgufError::TensorType {
                    name: self.name,
                    found,
                    supported: supported_types(),
                });
            }
        };
        let Some(shape) = shape_of(&self.dimensions) else {
            return Err(GgufError::Dimensions {
                name: self.name,
                dimensions: self.dimensions,
            });
        };
        let columns = shape[shape.len() - 1];
        let block = dtype.block_size();
        if !columns.is_multiple_of(block) {
            return Err(GgufError::PartialBlock {
                name: self.name,
                columns,
                dtype: dtype.name(),
                block,
            });
        }
        // `shape_of` has made sure that 64 bytes an entry do not overflow.
        let size = shape.iter().product::<usize>() / block * dtype.type_size();
        if !self.offset.is_multiple_of(data.alignment as u64) {
            return Err(GgufError::Misaligned {
                name: self.name,
                offset: self.offset,
                alignment: data.alignment,
            });
        }
        let end = usize::try_from(self.offset)
            .ok()
            .and_then(|offset| offset.checked_add(size))
            .filter(|&end| end <= data.len);
        match end {
            Some(end) => Ok(TensorInfo {
                name: self.name,
                shape,
                dtype,
                bytes: data.start + end - size..data.start + end,
            }),
            None => Err(GgufError::OutOfFile {
                name: self.name,
                offset: self.offset,
                size,
                data: data.len,
            }),
        }
    }
}

/// Dimensions slowest first, none zero, whose product is far from overflowing.
fn shape_of(dimensions: &[u64]) -> Option<Vec<usize>> {
    let entries = dimensions
        .iter()
        .try_fold(1_u64, |product, &dimension| product.checked_mul(dimension))?;
    if entries == 0 || entries > (isize::MAX as u64) / 64 {
        return None;
    }
    Some(dimensions.iter().rev().map(|&d| d as usize).collect())
}

/// Overlapping tensors would let a small file ask for any amount of memory.
fn check_overlaps(tensors: &[TensorInfo]) -> Result<(), GgufError> {
    let mut order: Vec<&TensorInfo> = tensors.iter().collect();
    order.sort_by_key(|tensor| tensor.bytes.start);
    for pair in order.windows(2) {
        if pair[0].bytes.end > pair[1].bytes.start {
            return Err(GgufError::Overlap {
                first: pair[0].name.clone(),
                second: pair[1].name.clone(),
            });
        }
    }
    Ok(())
}
