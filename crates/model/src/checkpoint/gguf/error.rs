//! What can be wrong with a GGUF file.

use crate::printable::printable;

/// Why a GGUF file cannot be read. Offsets are bytes from the beginning of the file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The first four bytes are not `GGUF`.
    #[error("it does not begin with the letters GGUF")]
    Magic,
    /// A version of the format that this reader does not know.
    #[error("it is of GGUF version {found}; versions 2 and 3 can be read")]
    Version {
        /// The version it claims.
        found: u32,
    },
    /// A version that is only a version with its bytes in the other order.
    #[error("its numbers are big-endian; only little-endian files can be read")]
    BigEndian,
    /// The file ends before something that it announces.
    #[error(
        "it ends within {what}: {needed} bytes are announced at offset {offset}, {left} are left"
    )]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where.
        offset: usize,
        /// Bytes announced.
        needed: u64,
        /// Bytes left.
        left: usize,
    },
    /// A count that the rest of the file cannot hold.
    #[error("it claims {count} {what}, more than its remaining {left} bytes can hold")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many.
        count: u64,
        /// Bytes left.
        left: usize,
    },
    /// Text that is not UTF-8.
    #[error("{what} at offset {offset} is not UTF-8")]
    NotUtf8 {
        /// Which text.
        what: &'static str,
        /// Where.
        offset: usize,
    },
    /// A metadata value of a type that the format does not define.
    #[error("metadata key {key} has a value of unknown type {kind}", key = printable(key))]
    ValueType {
        /// The key.
        key: String,
        /// The type's number.
        kind: u32,
    },
    /// A truth value that is neither 0 nor 1.
    #[error("metadata key {key} is neither true nor false but {found}", key = printable(key))]
    Bool {
        /// The key.
        key: String,
        /// The byte.
        found: u8,
    },
    /// Arrays of arrays, which no known key uses.
    #[error("metadata key {key} is an array of arrays, which is not supported", key = printable(key))]
    NestedArray {
        /// The key.
        key: String,
    },
    /// A key that stands twice.
    #[error("metadata key {key} stands there twice", key = printable(key))]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A tensor that stands twice.
    #[error("tensor {name} stands there twice", name = printable(name))]
    DuplicateTensor {
        /// Its name.
        name: String,
    },
    /// A key whose value has another type than the one it must have.
    #[error("metadata key {key} must be {expected}, and is {found}", key = printable(key), found = printable(found))]
    WrongType {
        /// The key.
        key: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A key that must be there and is not.
    #[error("metadata key {key} is missing", key = printable(key))]
    MissingKey {
        /// The key.
        key: String,
    },
    /// An alignment that the format does not allow.
    #[error("general.alignment is {found}; it must be a power of two from 8 to 65536")]
    Alignment {
        /// The alignment it claims.
        found: u64,
    },
    /// A tensor with no, too many or zero dimensions, or too large ones.
    #[error(
        "tensor {name} has dimensions {dimensions}: 1 to 4 non-zero ones are possible, and their product must fit",
        name = printable(name),
        dimensions = printable(&format!("{dimensions:?}"))
    )]
    Dimensions {
        /// The tensor.
        name: String,
        /// Its dimensions, fastest first, as far as they could be read.
        dimensions: Vec<u64>,
    },
    /// A tensor whose rows are no whole number of blocks.
    #[error(
        "tensor {name} has rows of {columns} entries, not a multiple of {dtype}'s block of {block}",
        name = printable(name)
    )]
    PartialBlock {
        /// The tensor.
        name: String,
        /// Entries a row.
        columns: usize,
        /// The type.
        dtype: &'static str,
        /// Entries a block.
        block: usize,
    },
    /// A tensor that begins where none may.
    #[error(
        "tensor {name} is at offset {offset} of the data, not a multiple of the alignment {alignment}",
        name = printable(name)
    )]
    Misaligned {
        /// The tensor.
        name: String,
        /// Its offset.
        offset: u64,
        /// The file's alignment.
        alignment: usize,
    },
    /// A tensor that reaches past the end of the file.
    #[error(
        "tensor {name} has {size} bytes at offset {offset} of the data, which has {data} bytes; the file is cut off or damaged",
        name = printable(name)
    )]
    OutOfFile {
        /// The tensor.
        name: String,
        /// Its offset from the beginning of the data.
        offset: u64,
        /// Its size in bytes.
        size: usize,
        /// Size of the data in bytes.
        data: usize,
    },
    /// Two tensors that share bytes.
    #[error("tensors {first} and {second} overlap", first = printable(first), second = printable(second))]
    Overlap {
        /// The one that begins first.
        first: String,
        /// The other one.
        second: String,
    },
    /// A tensor of a type that cannot be read.
    #[error(
        "tensor {name} is of type {found}; supported are {supported}",
        name = printable(name),
        found = printable(found)
    )]
    TensorType {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
        /// Those that can be read.
        supported: String,
    },
}
