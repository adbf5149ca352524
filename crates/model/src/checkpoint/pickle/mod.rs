//! State dictionaries as `torch.save` writes them: a zip archive of one pickle and the bytes of the storages.
//!
//! A pickle is a program. The one here is never run: an interpreter that knows only what state dictionaries are made of (tensors,
//! ordered dictionaries, numbers, texts) reads it and refuses all else by name, within limits on how much it may build. Bytes of
//! storages are mapped, not copied; only a tensor that lies there with gaps or in another order is.

mod archive;
mod fault;
mod machine;
mod opcodes;
mod tensor;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::Error;
use super::family::Family;
use super::map::MappedFile;
use super::weights::StoredTensor;
use archive::Archive;
use fault::Fault;
use machine::Machine;
pub(super) use tensor::Copies;

/// The tensors of `file`, which will be file `index` of the checkpoint. Those that the family ignores may be of any type. What has
/// to be copied is put into `copies`, which will be the files from `next` on.
pub(super) fn read(
    file: &MappedFile,
    index: usize,
    family: &Family,
    copies: &mut Copies,
) -> Result<HashMap<String, StoredTensor>, Error> {
    read_bytes(file.bytes(), index, family, copies).map_err(|Fault(detail)| Error::Pickle {
        path: file.path().to_owned(),
        detail,
    })
}

fn read_bytes(
    file: &[u8],
    index: usize,
    family: &Family,
    copies: &mut Copies,
) -> Result<HashMap<String, StoredTensor>, Fault> {
    let archive = Archive::open(file)?;
    let entries = Machine::run(archive.pickle(), &archive)?;
    tensor::stored(entries, (file, index), family, copies)
}
