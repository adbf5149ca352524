//! The zip archive: where the pickle and the storages lie.

use std::collections::HashMap;
use std::io::Cursor;
use std::ops::Range;

use zip::{CompressionMethod, ZipArchive};

use super::fault::Fault;
use crate::printable::printable;

/// The largest pickle that is read. That of a model of 100,000 tensors takes a third of it.
const PICKLE: usize = 64 << 20;

/// An archive whose entries were looked at.
pub(super) struct Archive<'a> {
    pickle: &'a [u8],
    /// Where the bytes of each storage stand in the file, by its key.
    storages: HashMap<String, Range<usize>>,
}

impl<'a> Archive<'a> {
    pub(super) fn open(file: &'a [u8]) -> Result<Self, Fault> {
        // A pickle by itself begins with its protocol.
        if file.starts_with(b"\x80") {
            return Err(Fault::new(
                "it is no zip archive: PyTorch before version 1.6 wrote another form; load it there and save it again",
            ));
        }
        if !file.starts_with(b"PK") {
            return Err(Fault::new(
                "it is no zip archive, as torch.save writes; it may not have been fetched whole",
            ));
        }
        let damaged =
            |error: zip::result::ZipError| Fault::new(format!("the archive is damaged: {error}"));
        let mut archive = ZipArchive::new(Cursor::new(file)).map_err(damaged)?;
        let mut entries = HashMap::new();
        let mut top = None;
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(damaged)?;
            let name = entry.name().map_err(damaged)?.into_owned();
            if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
                return Err(Fault::new(format!(
                    "its entry {} is compressed, which torch.save does not do",
                    printable(&name)
                )));
            }
            let start = entry
                .data_start()
                .and_then(|start| usize::try_from(start).ok());
            let range = start.zip(usize::try_from(entry.size()).ok());
            let range = range.and_then(|(start, size)| Some(start..start.checked_add(size)?));
            let range = range.filter(|range| range.end <= file.len());
            let range = range.ok_or_else(|| {
                Fault::new(format!(
                    "its entry {} reaches past its end",
                    printable(&name)
                ))
            })?;
            if let Some(folder) = name.strip_suffix("/data.pkl")
                && top.replace(folder.to_owned()).is_some()
            {
                return Err(Fault::new("it has two pickles"));
            }
            entries.insert(name, range);
        }
        let top = top.ok_or_else(|| Fault::new("it has no data.pkl"))?;
        Self::of(file, &top, &entries)
    }

    fn of(
        file: &'a [u8],
        top: &str,
        entries: &HashMap<String, Range<usize>>,
    ) -> Result<Self, Fault> {
        if let Some(order) = entries.get(&format!("{top}/byteorder"))
            && &file[order.clone()] != b"little"
        {
            return Err(Fault::new(
                "its numbers are stored with the highest byte first",
            ));
        }
        let pickle = &file[entries[&format!("{top}/data.pkl")].clone()];
        if pickle.len() > PICKLE {
            return Err(Fault::new(format!(
                "its pickle has {} bytes; more than {PICKLE} are not read",
                pickle.len()
            )));
        }
        let beginning = format!("{top}/data/");
        let storages = entries.iter().filter_map(|(name, range)| {
            let key = name.strip_prefix(&beginning)?;
            Some((key.to_owned(), range.clone()))
        });
        Ok(Self {
            pickle,
            storages: storages.collect(),
        })
    }

    pub(super) fn pickle(&self) -> &'a [u8] {
        self.pickle
    }

    /// Where a storage's bytes stand in the file.
    pub(super) fn storage(&self, key: &str) -> Option<Range<usize>> {
        self.storages.get(key).cloned()
    }
}
