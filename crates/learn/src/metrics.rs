//! The log of a run: one JSON object a line.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use lookback_model::write_atomic;

use crate::error::Error;
use crate::record::Record;

/// A log that records are added to.
pub(crate) struct Metrics {
    file: Option<(PathBuf, BufWriter<File>)>,
}

impl Metrics {
    /// A log that keeps nothing.
    pub(crate) fn none() -> Self {
        Self { file: None }
    }

    /// The log at `path`, of which only what belongs to the first `steps` steps is kept: a run that was interrupted goes
    /// on from its checkpoint, and writes the steps after it again.
    pub(crate) fn open(path: &Path, steps: usize) -> Result<Self, Error> {
        let before = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io(path)(error)),
        };
        // A line that was cut short is no record.
        let known = |line: &&str| {
            serde_json::from_str::<Record>(line).is_ok_and(|record| record.step <= steps)
        };
        let kept: String = before
            .lines()
            .filter(known)
            .map(|line| format!("{line}\n"))
            .collect();
        write_atomic(path, |file| file.write_all(kept.as_bytes())).map_err(Error::io(path))?;
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(Error::io(path))?;
        Ok(Self {
            file: Some((path.to_owned(), BufWriter::new(file))),
        })
    }

    pub(crate) fn write(&mut self, record: &Record) -> Result<(), Error> {
        let Some((path, file)) = &mut self.file else {
            return Ok(());
        };
        let written = serde_json::to_writer(&mut *file, record).map_err(std::io::Error::from);
        written
            .and_then(|()| file.write_all(b"\n"))
            .map_err(Error::io(path))
    }

    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        match &mut self.file {
            Some((path, file)) => file.flush().map_err(Error::io(path)),
            None => Ok(()),
        }
    }
}
