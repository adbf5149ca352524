//! GGUF files in several parts (`NAME-00001-of-00003.gguf`), as llama-gguf-split writes them: the first has the metadata, and
//! each some of the tensors.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::gguf::{GgufFile, Value};
use super::map::MappedFile;
use super::weights::{StoredTensor, Weights};
use super::{Error, GgufError};

/// A GGUF file, whole or in parts.
pub(super) struct Parts {
    /// The part that has the metadata.
    first: GgufFile,
    /// The others, in order.
    rest: Vec<GgufFile>,
}

impl Parts {
    /// Opens the file at `path`, and where that is one of several parts all of them.
    ///
    /// # Errors
    /// A part that is not there or belongs to another file, by name.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = GgufFile::open(path)?;
        let (number, count) = match place(&file, path)? {
            (_, 0 | 1) => {
                return Ok(Self {
                    first: file,
                    rest: Vec::new(),
                });
            }
            place => place,
        };
        let names = Names::of(path, number, count)?;
        let (mut opened, mut parts) = (Some(file), Vec::new());
        for index in 0..count {
            let part = match opened.take_if(|_| index == number) {
                Some(part) => part,
                None => names.open(index)?,
            };
            parts.push(part);
        }
        let rest = parts.split_off(1);
        let first = parts
            .pop()
            .unwrap_or_else(|| unreachable!("there are several"));
        let parts = Self { first, rest };
        parts.check_tensors(path)?;
        Ok(parts)
    }

    /// The part that has the metadata.
    pub(super) fn metadata(&self) -> &GgufFile {
        &self.first
    }

    /// Refuses parts that have a tensor twice, or not as many as the first one says.
    fn check_tensors(&self, path: &Path) -> Result<(), Error> {
        let mut names = std::collections::HashSet::new();
        let all = [&self.first].into_iter().chain(&self.rest);
        for tensor in all.flat_map(GgufFile::tensors) {
            if !names.insert(tensor.name.as_str()) {
                return Err(Error::Gguf {
                    path: path.to_owned(),
                    source: GgufError::DuplicateTensor {
                        name: tensor.name.clone(),
                    },
                });
            }
        }
        match number(&self.first, "split.tensors.count", path)? {
            Some(said) if said != names.len() as u64 => Err(Error::InvalidSetting {
                source_name: path.display().to_string(),
                key: "split.tensors.count".to_owned(),
                value: said.to_string(),
                expected: format!("{}, as many as its parts hold", names.len()),
            }),
            _ => Ok(()),
        }
    }

    /// All tensors, under their own names and with their rows as they stand.
    pub(super) fn into_weights(self) -> Weights {
        let mut files: Vec<MappedFile> = Vec::new();
        let mut all = HashMap::new();
        for part in [self.first].into_iter().chain(self.rest) {
            let (map, tensors) = part.into_tensors();
            for tensor in tensors {
                let stored = StoredTensor {
                    dtype: tensor.dtype,
                    ..StoredTensor::new(files.len(), tensor.bytes, tensor.shape)
                };
                all.insert(tensor.name, stored);
            }
            files.push(map);
        }
        Weights::new(files, all)
    }
}

/// Which part a file is, from 0, and of how many.
fn place(file: &GgufFile, path: &Path) -> Result<(usize, usize), Error> {
    let read = |key| number(file, key, path).map(|number| number.unwrap_or(0) as usize);
    Ok((read("split.no")?, read("split.count")?))
}

/// A number of parts or tensors, if it is there.
fn number(file: &GgufFile, key: &str, path: &Path) -> Result<Option<u64>, Error> {
    match file.value(key) {
        None => Ok(None),
        Some(Value::Unsigned(number)) => Ok(Some(*number)),
        Some(Value::Signed(number @ 0..)) => Ok(Some(*number as u64)),
        Some(other) => Err(Error::InvalidSetting {
            source_name: path.display().to_string(),
            key: key.to_owned(),
            value: other.describe(),
            expected: "a whole number from 0 on".to_owned(),
        }),
    }
}

/// What the parts are called.
struct Names<'a> {
    path: &'a Path,
    /// The file name without `-00001-of-00003.gguf`.
    beginning: String,
    count: usize,
}

impl<'a> Names<'a> {
    /// From the name of one of them.
    fn of(path: &'a Path, number: usize, count: usize) -> Result<Self, Error> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ending = ending(number, count);
        match name.strip_suffix(&ending) {
            Some(beginning) if number < count => Ok(Self {
                path,
                beginning: beginning.to_owned(),
                count,
            }),
            _ => Err(Error::PartName {
                path: path.to_owned(),
                number: number.saturating_add(1),
                count,
                ending,
            }),
        }
    }

    fn path(&self, index: usize) -> PathBuf {
        let name = format!("{}{}", self.beginning, ending(index, self.count));
        self.path.with_file_name(name)
    }

    /// Opens a part, which must be what its name says.
    fn open(&self, index: usize) -> Result<GgufFile, Error> {
        let path = self.path(index);
        if !path.exists() {
            return Err(Error::MissingPart {
                path: self.path.to_owned(),
                part: path,
                count: self.count,
            });
        }
        let file = GgufFile::open(&path)?;
        match place(&file, &path)? {
            found if found == (index, self.count) => Ok(file),
            (number, count) => Err(Error::PartName {
                ending: ending(number, count),
                number: number.saturating_add(1),
                path,
                count,
            }),
        }
    }
}

fn ending(index: usize, count: usize) -> String {
    format!("-{:05}-of-{count:05}.gguf", index.saturating_add(1))
}
