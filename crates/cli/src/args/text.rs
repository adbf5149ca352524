//! The text that is read: from the command line, a file or standard input.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::output;

/// Where the text comes from.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TextArgs {
    /// The text; `-` reads standard input
    pub(crate) text: Option<OsString>,
    /// Read the text from a file, in UTF-8
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
}

/// The longest text that is read: several times what any model's context holds.
const MAX_BYTES: u64 = 16 << 20;

impl TextArgs {
    /// The text, which is not empty.
    ///
    /// From a file or standard input a byte-order mark and the line end after the last line are left out: they are
    /// how the text is stored, not the text.
    pub(crate) fn read(&self) -> anyhow::Result<String> {
        match (&self.text, &self.file) {
            (_, Some(path)) => read_file(path),
            (Some(text), None) if text == OsStr::new("-") => {
                let name = "standard input";
                decode(name, stored(read_bounded(io::stdin().lock(), name)?))
            }
            (Some(text), None) => decode("the text", text.as_encoded_bytes().to_vec()),
            (None, None) => bail!("no text given"),
        }
    }
}

/// The text of a file, which is not empty; see [`TextArgs::read`].
pub(crate) fn read_file(path: &Path) -> anyhow::Result<String> {
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
    decode(&name, stored(read_bounded(file, &name)?))
}

/// Bytes as a text, which is not empty; `source` is what they come from.
fn decode(source: &str, bytes: Vec<u8>) -> anyhow::Result<String> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow::anyhow!(
            "{source} is not UTF-8: byte {at} is 0x{:02x}; convert it to UTF-8 first",
            error.as_bytes()[at]
        )
    })?;
    if text.is_empty() {
        bail!("{source} is empty; give at least one character");
    }
    Ok(text)
}

fn read_bounded(reader: impl Read, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {name}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        bail!(
            "{name} is longer than {}, more than a text may have",
            output::bytes(MAX_BYTES)
        );
    }
    Ok(bytes)
}

/// Bytes without what belongs to how they are stored.
fn stored(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_byte_that_is_not_utf8_is_named() {
        let message = decode("x.txt", b"na\xefve".to_vec())
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("x.txt is not UTF-8: byte 2 is 0xef"),
            "{message}"
        );
    }

    #[test]
    fn nothing_is_no_text() {
        assert!(decode("the text", stored(b"\n".to_vec())).is_err());
        assert_eq!(decode("the text", b" ".to_vec()).unwrap(), " ");
    }

    #[test]
    fn only_the_last_line_end_is_storage() {
        assert_eq!(stored(b"a\n\n".to_vec()), b"a\n");
        assert_eq!(stored(b"a\r\n".to_vec()), b"a");
        assert_eq!(stored(b"\xef\xbb\xbfa".to_vec()), b"a");
        assert_eq!(stored(b"a\r".to_vec()), b"a\r");
    }

    #[test]
    fn reading_stops_at_the_bound() {
        assert!(read_bounded(io::repeat(b'a'), "endless").is_err());
    }
}
