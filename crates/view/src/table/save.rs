//! Tables as files.

use std::io::{self, Write};
use std::path::Path;

use lookback_trace::write_atomic;

use super::columns::Table;
use super::error::Error;
use super::{csv, npy, parquet};

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A list of objects.
    Json,
    /// Comma-separated values.
    Csv,
    /// Parquet.
    Parquet,
    /// One array of the numbers.
    Npy,
}

impl Kind {
    /// What a file's ending asks for.
    ///
    /// # Errors
    /// [`Error::Kind`].
    pub fn of(path: &Path) -> Result<Self, Error> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match ending.map(str::to_lowercase).as_deref() {
            Some("json") => Ok(Self::Json),
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            Some("npy") => Ok(Self::Npy),
            _ => Err(Error::Kind {
                path: path.to_owned(),
            }),
        }
    }
}

impl Table {
    /// Saves it in the form that the file's ending says. The file is written aside and renamed: whoever opens it
    /// meanwhile, or after a failure, sees what was there before.
    ///
    /// # Errors
    /// [`Error::Kind`], [`Error::Write`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let kind = Kind::of(path)?;
        write_atomic(path, |out| self.write(kind, out)).map_err(|source| Error::Write {
            path: path.to_owned(),
            source,
        })
    }

    /// Writes it as comma-separated values ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)), with a header; a number
    /// that is none is empty.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        csv::write(self, out)
    }

    /// Writes its columns of numbers as one npy array of f64, \[rows, columns\], row by row. Texts are left out.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_npy(&self, out: &mut impl Write) -> io::Result<()> {
        npy::write(self, out)
    }

    /// Writes it in some form.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, kind: Kind, out: &mut (impl Write + Send)) -> io::Result<()> {
        match kind {
            Kind::Json => {
                serde_json::to_writer(&mut *out, self)?;
                out.write_all(b"\n")
            }
            Kind::Csv => self.write_csv(out),
            Kind::Npy => self.write_npy(out),
            Kind::Parquet => parquet::write(self, out).map_err(io::Error::other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = Table::new();
        table.integer("n", [1]);
        for name in ["a.csv", "a.JSON", "a.npy", "a.parquet"] {
            table.save(&folder.path().join(name)).unwrap();
        }
        let unknown = table.save(&folder.path().join("a.txt")).unwrap_err();
        assert!(unknown.to_string().contains(".parquet or .npy"));
        let missing = folder.path().join("none").join("a.csv");
        assert!(
            table
                .save(&missing)
                .unwrap_err()
                .to_string()
                .contains("cannot save")
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
    }
}
