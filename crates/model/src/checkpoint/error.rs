//! What can be wrong with a checkpoint.

use std::path::PathBuf;

use super::gguf::GgufError;
use crate::printable::{printable, printable_message};

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file that was written to while it was in use.
    #[error(
        "{path} was overwritten or shortened while it was in use: run this again once the file is whole",
        path = path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A directory, pipe or device where a file is needed.
    #[error("{path} is not a regular file", path = path.display())]
    NotAFile {
        /// What was given.
        path: PathBuf,
    },
    /// Neither a folder nor a GGUF file.
    #[error("{path} is no checkpoint: give a .gguf file, or a folder with config.json, model.safetensors and tokenizer.json", path = path.display())]
    NotACheckpoint {
        /// What was given.
        path: PathBuf,
    },
    /// A folder lacks a file that a checkpoint needs.
    #[error("{folder} has no {file}{hint}", folder = folder.display())]
    MissingFile {
        /// The folder.
        folder: PathBuf,
        /// The file it lacks.
        file: &'static str,
        /// What to do about it, or nothing.
        hint: String,
    },
    /// A file of text that is far larger than any real one.
    #[error("{path} has {size} bytes; more than {limit} are not read", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The most that is read.
        limit: u64,
    },
    /// A file that is not JSON, or not the JSON it should be.
    #[error("{path}: {detail}", path = path.display(), detail = printable_message(detail))]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A damaged or unsupported GGUF file.
    #[error("{path}: {source}", path = path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: GgufError,
    },
    /// A part of a split GGUF file that is not there.
    #[error(
        "{path} is one of {count} parts, and {part} is not there: all must lie in one folder",
        path = path.display(),
        part = part.display()
    )]
    MissingPart {
        /// The part that was opened.
        path: PathBuf,
        /// The one that is missing.
        part: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// A part of a split GGUF file under the name of another.
    #[error(
        "{path} says that it is part {number} of {count}, and its name does not: it must end in {ending}",
        path = path.display()
    )]
    PartName {
        /// The part.
        path: PathBuf,
        /// Which part it says it is, from 1.
        number: usize,
        /// Of how many.
        count: usize,
        /// How its name must end.
        ending: String,
    },
    /// A checkpoint of PyTorch's that is damaged, or holds other things than tensors.
    #[error("{path}: {detail}", path = path.display(), detail = printable_message(detail))]
    Pickle {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A damaged safetensors file.
    #[error("{path} is no valid safetensors file: {detail}", path = path.display(), detail = printable_message(detail))]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// An index of shards that cannot be followed.
    #[error("{path}: {detail}", path = path.display(), detail = printable_message(detail))]
    Index {
        /// The index.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A safetensors tensor of a type that cannot be read.
    #[error(
        "{path}: tensor {name} is of type {found}; supported are {supported}",
        path = path.display(),
        name = printable(name),
        found = printable(found)
    )]
    TensorType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
        /// Those that can be read.
        supported: &'static str,
    },
    /// An architecture that is not implemented.
    #[error(
        "{path} is of architecture {found}; supported are {supported}",
        path = path.display(),
        found = printable(found)
    )]
    Architecture {
        /// The file that says so.
        path: PathBuf,
        /// What it says.
        found: String,
        /// Those that are implemented.
        supported: String,
    },
    /// A setting that must be there and is not.
    #[error("{source_name} has no {key}", key = printable(key))]
    MissingSetting {
        /// The file.
        source_name: String,
        /// The setting.
        key: String,
    },
    /// A setting that makes no sense.
    #[error("{source_name}: {key} is {value}, and must be {expected}", key = printable(key), value = printable(value))]
    InvalidSetting {
        /// The file.
        source_name: String,
        /// The setting.
        key: String,
        /// Its value.
        value: String,
        /// What it must be.
        expected: String,
    },
    /// A setting that changes the mathematics in a way that is not implemented.
    #[error(
        "{source_name}: {key} = {value} is not supported; supported is {supported}",
        key = printable(key),
        value = printable(value)
    )]
    UnsupportedSetting {
        /// The file.
        source_name: String,
        /// The setting.
        key: String,
        /// Its value.
        value: String,
        /// What is implemented.
        supported: String,
    },
    /// A setting that is neither implemented nor known to leave the mathematics alone.
    #[error(
        "{source_name}: {key} = {value} is unknown and might change what the model computes; if it does not, go on with --accept-key {key}",
        key = printable(key),
        value = printable(value)
    )]
    UnknownSetting {
        /// The file.
        source_name: String,
        /// The setting.
        key: String,
        /// Its value.
        value: String,
    },
    /// The checkpoint lacks a tensor.
    #[error("the checkpoint has no tensor {name}", name = printable(name))]
    MissingTensor {
        /// Its name.
        name: String,
    },
    /// The checkpoint has a tensor that the model has no use for.
    #[error(
        "the checkpoint has a tensor {name}, which the {architecture} model implemented here does not use",
        name = printable(name)
    )]
    UnknownTensor {
        /// Its name, as the file spells it.
        name: String,
        /// The architecture.
        architecture: &'static str,
    },
    /// A tensor's shape contradicts the configuration.
    #[error(
        "tensor {name} has the shape {found}; the configuration asks for {expected:?}",
        name = printable(name),
        found = printable(&format!("{found:?}"))
    )]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it must have.
        expected: Vec<usize>,
    },
    /// A weight is NaN or infinite.
    #[error(
        "tensor {name} holds {value} at entry {index}: the file is damaged, or its training diverged",
        name = printable(name)
    )]
    NotFinite {
        /// The tensor.
        name: String,
        /// NaN or ±∞.
        value: f32,
        /// Index into the flattened tensor.
        index: usize,
    },
    /// A divisor of a rotary frequency that is not positive.
    #[error("tensor {name} holds {value} at entry {index}; rotary factors must be positive", name = printable(name))]
    RopeFactor {
        /// The tensor.
        name: String,
        /// The divisor.
        value: f32,
        /// Index into the tensor.
        index: usize,
    },
    /// A row was asked for that the matrix does not have.
    #[error("row {row} was asked for, but {name} has {rows} rows", name = printable(name))]
    RowOutOfRange {
        /// The tensor.
        name: String,
        /// The row asked for.
        row: u32,
        /// How many there are.
        rows: usize,
    },
    /// An adapter without the model that it belongs to.
    #[error(
        "{folder} is a LoRA adapter (PEFT) and no model by itself; it needs the model that it was trained for, {needed}: \
         name that model's folder with --base{fetch}",
        folder = folder.display(),
        needed = match base {
            Some(base) => format!("{}, which is not here", printable(base)),
            None => "whose name it does not say".to_owned(),
        },
        fetch = match base.as_deref().and_then(on_the_hub) {
            Some(name) => format!(", or fetch it with --base hf:{}", printable(&name)),
            None => String::new(),
        }
    )]
    AdapterBase {
        /// The adapter.
        folder: PathBuf,
        /// What it calls the model.
        base: Option<String>,
    },
    /// A base that an adapter cannot be merged into.
    #[error("{base} is no folder of a whole model, which an adapter is merged into", base = base.display())]
    AdapterBaseKind {
        /// What was named.
        base: PathBuf,
    },
    /// A base for what is no adapter.
    #[error("--base is for adapters, and {path} is none: leave it out", path = path.display())]
    BaseOfModel {
        /// The model.
        path: PathBuf,
    },
    /// A tensor of an adapter that cannot be merged.
    #[error(
        "{path}: {module} cannot be merged: {detail}",
        path = path.display(),
        module = printable(module),
        detail = printable_message(detail)
    )]
    AdapterTensor {
        /// The file.
        path: PathBuf,
        /// The module or the tensor.
        module: String,
        /// Why not.
        detail: String,
    },
    /// A way to cut words was named for a folder.
    #[error(
        "--pre-tokenizer {name} is for GGUF files; a folder's tokenizer.json says itself how words are cut",
        name = printable(name)
    )]
    PreTokenizerOfFolder {
        /// What was named.
        name: String,
    },
    /// The tokenizer cannot be built.
    #[error("{path}: {source}", path = path.display())]
    Tokenizer {
        /// The file it stands in.
        path: PathBuf,
        /// What is wrong.
        source: crate::tokenizer::Error,
    },
    /// The tensor library refused an operation.
    #[error("tensor library: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// OWNER/NAME of a model that is called so, or by an address that ends so.
fn on_the_hub(base: &str) -> Option<String> {
    let name = match base.split_once("://") {
        Some((_, address)) => address.trim_end_matches('/').split_once('/')?.1,
        None => base,
    };
    let parts: Vec<&str> = name.split('/').collect();
    let is_name = |part: &&str| !part.is_empty() && !part.starts_with('.') && !part.contains(':');
    (parts.len() == 2 && parts.iter().all(is_name)).then(|| name.to_owned())
}
