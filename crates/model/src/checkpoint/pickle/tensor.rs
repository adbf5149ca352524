//! From a storage's bytes to tensors.

use std::collections::HashMap;
use std::ops::Range;

use super::fault::Fault;
use crate::checkpoint::StoredType;
use crate::checkpoint::family::Family;
use crate::checkpoint::weights::StoredTensor;
use crate::printable::printable;

/// The type of a storage's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StorageType {
    name: &'static str,
    size: usize,
    stored: Option<StoredType>,
}

/// All types, by the names of their classes.
const TYPES: &[StorageType] = &[
    StorageType::of("FloatStorage", 4, Some(StoredType::F32)),
    StorageType::of("HalfStorage", 2, Some(StoredType::F16)),
    StorageType::of("BFloat16Storage", 2, Some(StoredType::BF16)),
    StorageType::of("DoubleStorage", 8, None),
    StorageType::of("LongStorage", 8, None),
    StorageType::of("IntStorage", 4, None),
    StorageType::of("ShortStorage", 2, None),
    StorageType::of("CharStorage", 1, None),
    StorageType::of("ByteStorage", 1, None),
    StorageType::of("BoolStorage", 1, None),
];

impl StorageType {
    const fn of(name: &'static str, size: usize, stored: Option<StoredType>) -> Self {
        Self { name, size, stored }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        TYPES.iter().find(|dtype| dtype.name == name).copied()
    }

    pub(super) fn size(self) -> usize {
        self.size
    }
}

/// A storage, whose entries all lie in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Storage {
    pub(super) dtype: StorageType,
    pub(super) entries: usize,
    /// Where its bytes begin.
    pub(super) start: usize,
}

/// A tensor of the state dictionary.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) storage: Storage,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// Tensors that had to be copied.
pub(in crate::checkpoint) struct Copies {
    /// The file that the first of them will be.
    pub(in crate::checkpoint) next: usize,
    pub(in crate::checkpoint) bytes: Vec<Vec<u8>>,
    /// How many bytes tensors may still have, of all files together.
    pub(in crate::checkpoint) left: usize,
}

impl Copies {
    /// What a file of so many bytes allows.
    pub(in crate::checkpoint) fn of_file(bytes: usize) -> usize {
        bytes.saturating_mul(SHARED)
    }
}

/// How many times the file's bytes all tensors together may have: storages may be shared, and a small file may not ask for any
/// amount of memory by it.
const SHARED: usize = 4;

/// The tensors by name.
pub(super) fn stored(
    entries: Vec<Entry>,
    (file, index): (&[u8], usize),
    family: &Family,
    copies: &mut Copies,
) -> Result<HashMap<String, StoredTensor>, Fault> {
    let mut tensors = HashMap::new();
    for entry in entries {
        if family.ignores(&entry.name) {
            continue;
        }
        let (dtype, size) = entry.checked()?;
        copies.left = copies.left.checked_sub(size).ok_or_else(|| {
            Fault::new(format!(
                "its tensors have more than {SHARED} times its bytes, since they share storages"
            ))
        })?;
        let tensor = match entry.contiguous() {
            Some(bytes) => StoredTensor::new(index, bytes, entry.shape),
            None => {
                copies.bytes.push(entry.gathered(file));
                let copy = copies.next + copies.bytes.len() - 1;
                StoredTensor::new(copy, 0..size, entry.shape)
            }
        };
        let tensor = StoredTensor { dtype, ..tensor };
        // Of two entries with one key the last counts, as in Python.
        tensors.insert(entry.name, tensor);
    }
    Ok(tensors)
}

impl Entry {
    /// The type, and how many bytes its entries take, all of which lie in the storage.
    fn checked(&self) -> Result<(StoredType, usize), Fault> {
        let name = || printable(&self.name);
        let dtype = self.storage.dtype;
        let stored = dtype.stored.ok_or_else(|| {
            Fault::new(format!(
                "tensor {} is of type {}; supported are FloatStorage, HalfStorage, BFloat16Storage",
                name(),
                dtype.name
            ))
        })?;
        if self.shape.is_empty() || self.shape.contains(&0) {
            let shape = printable(&format!("{:?}", self.shape));
            return Err(Fault::new(format!(
                "tensor {} has the shape {shape}, which holds no matrix or vector",
                name()
            )));
        }
        let entries = self
            .shape
            .iter()
            .try_fold(1_usize, |all, &n| all.checked_mul(n));
        let last = self
            .shape
            .iter()
            .zip(&self.strides)
            .try_fold(self.offset, |last, (&n, &stride)| {
                last.checked_add((n - 1).checked_mul(stride)?)
            });
        let size = entries.and_then(|entries| entries.checked_mul(dtype.size));
        match (size, last) {
            (Some(size), Some(last)) if last < self.storage.entries => Ok((stored, size)),
            _ => Err(Fault::new(format!(
                "tensor {} reaches out of its storage",
                name()
            ))),
        }
    }

    /// Its bytes in the file, where they stand there in order and without gaps.
    fn contiguous(&self) -> Option<Range<usize>> {
        let mut expected = 1;
        for (&n, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if n > 1 && stride != expected {
                return None;
            }
            expected *= n;
        }
        let start = self.storage.start + self.offset * self.storage.dtype.size;
        Some(start..start + expected * self.storage.dtype.size)
    }

    /// A copy of its entries in order.
    fn gathered(&self, file: &[u8]) -> Vec<u8> {
        let size = self.storage.dtype.size;
        let count: usize = self.shape.iter().product();
        let mut bytes = Vec::with_capacity(count * size);
        let mut at = vec![0; self.shape.len()];
        for _ in 0..count {
            let steps = at.iter().zip(&self.strides);
            let entry = self.offset + steps.map(|(&i, &stride)| i * stride).sum::<usize>();
            let start = self.storage.start + entry * size;
            bytes.extend_from_slice(&file[start..start + size]);
            for (i, &n) in at.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < n {
                    break;
                }
                *i = 0;
            }
        }
        bytes
    }
}
