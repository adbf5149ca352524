//! The text that is read: from the command line, a file or standard input.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};

use anyhow::{Context as _, bail};
use lookback_model::Encoding;

use crate::args::TextArgs;
use crate::output;

/// The longest text that is read: several times what any model's context holds.
const MAX_BYTES: u64 = 16 << 20;

/// The text that the arguments name, which is not empty.
///
/// From a file or standard input a byte-order mark and the line end after the last line are left out: they are
/// how the text is stored, not the text.
pub(crate) fn read(args: &TextArgs) -> anyhow::Result<String> {
    let (source, bytes) = match (&args.text, &args.file) {
        (_, Some(path)) => {
            let name = path.display().to_string();
            let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
            (name.clone(), stored(read_bounded(file, &name)?))
        }
        (Some(text), None) if text == OsStr::new("-") => {
            let name = "standard input";
            (
                name.to_owned(),
                stored(read_bounded(io::stdin().lock(), name)?),
            )
        }
        (Some(text), None) => ("the text".to_owned(), text.as_encoded_bytes().to_vec()),
        (None, None) => bail!("no text given"),
    };
    decode(&source, bytes)
}

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

/// The first `context` tokens of `encoding`, fewer where the cut would go through a character.
pub(crate) fn truncate(mut encoding: Encoding, context: usize) -> Encoding {
    let mut kept = context.min(encoding.ids.len());
    // Tokens that share a character share its span: all of them are kept, or none.
    while kept > encoding.prefix_tokens
        && kept < encoding.ids.len()
        && encoding.spans[kept].0 < encoding.spans[kept - 1].1
    {
        kept -= 1;
    }
    encoding.ids.truncate(kept);
    encoding.spans.truncate(kept);
    let end = encoding.spans.iter().map(|span| span.1).max().unwrap_or(0);
    encoding.text.truncate(end);
    encoding
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

    #[test]
    fn a_cut_keeps_characters_whole() {
        // "aé": é in two tokens, each with its whole span; one prefix token.
        let encoding = Encoding {
            ids: vec![0, 1, 2, 3, 4],
            spans: vec![(0, 0), (0, 1), (1, 3), (1, 3), (3, 4)],
            prefix_tokens: 1,
            prefix_was_in_text: false,
            text: "aéb".to_owned(),
        };
        let cut = truncate(encoding.clone(), 3);
        assert_eq!((cut.ids, cut.text), (vec![0, 1], "a".to_owned()));
        let cut = truncate(encoding.clone(), 4);
        assert_eq!((cut.ids, cut.text), (vec![0, 1, 2, 3], "aé".to_owned()));
        assert_eq!(truncate(encoding.clone(), 9), encoding);
    }
}
