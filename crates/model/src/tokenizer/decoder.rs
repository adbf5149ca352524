//! Tokens back to the bytes they stand for.

use tokenizers::decoders::wordpiece::cleanup;

use super::bytes::byte_of;

/// How a vocabulary writes the bytes of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoder {
    /// One printable character a byte.
    ByteLevel,
    /// `▁` for a space, `<0x0A>` for a byte that no token has, if `byte_tokens`. A text that
    /// is decoded from its beginning loses up to `strip` spaces there: the tokenizer added them.
    Spaces { byte_tokens: bool, strip: usize },
    /// Words, and pieces of words that begin with `##`. A word stands for itself with a space before it, which
    /// is taken off again at the beginning of a text, and before punctuation where `cleanup`.
    WordPieces { cleanup: bool },
}

/// How a vocabulary of word pieces marks what continues a word.
pub(super) const CONTINUES: &str = "##";

impl Decoder {
    /// The bytes that a token's text stands for.
    pub(super) fn bytes(self, token: &str) -> Vec<u8> {
        match self {
            // A token added by its plain text, like `<｜user｜>`, may not be byte-level.
            Decoder::ByteLevel => token
                .chars()
                .map(byte_of)
                .collect::<Option<_>>()
                .unwrap_or_else(|| token.as_bytes().to_vec()),
            Decoder::Spaces { byte_tokens, .. } => {
                match byte_token(token).filter(|_| byte_tokens) {
                    Some(byte) => vec![byte],
                    None => token.replace('▁', " ").into_bytes(),
                }
            }
            Decoder::WordPieces { .. } => match token.strip_prefix(CONTINUES) {
                Some(rest) => rest.as_bytes().to_vec(),
                None => format!(" {token}").into_bytes(),
            },
        }
    }

    /// How the vocabulary writes a space, where it does.
    pub(super) fn space(self) -> Option<&'static str> {
        match self {
            Decoder::ByteLevel => Some("Ġ"),
            Decoder::Spaces { .. } => Some("▁"),
            Decoder::WordPieces { .. } => None,
        }
    }

    /// The text of a whole sequence's bytes.
    pub(super) fn text(self, bytes: &[u8]) -> String {
        let strip = match self {
            Decoder::ByteLevel => 0,
            Decoder::Spaces { strip, .. } => strip,
            Decoder::WordPieces { .. } => 1,
        };
        let added = bytes.iter().take(strip).take_while(|&&b| b == b' ').count();
        let text = String::from_utf8_lossy(&bytes[added..]).into_owned();
        match self {
            Decoder::WordPieces { cleanup: true } => cleanup(&text),
            _ => text,
        }
    }
}

/// The byte of a token `<0x00>` to `<0xFF>`.
pub(super) fn byte_token(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    let plain = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_level_tokens_give_their_bytes() {
        assert_eq!(Decoder::ByteLevel.bytes("Ġhe"), b" he");
        assert_eq!(Decoder::ByteLevel.bytes("Ã¯"), "ï".as_bytes());
        assert_eq!(Decoder::ByteLevel.bytes("<｜a｜>"), "<｜a｜>".as_bytes());
    }

    #[test]
    fn spaces_and_byte_tokens() {
        let decoder = Decoder::Spaces {
            byte_tokens: true,
            strip: 1,
        };
        assert_eq!(decoder.bytes("▁he▁"), b" he ");
        assert_eq!(decoder.bytes("<0x0A>"), b"\n");
        assert_eq!(decoder.bytes("<0xG0>"), b"<0xG0>");
        assert_eq!(decoder.bytes("<0x+1>"), b"<0x+1>");
        assert_eq!(decoder.text(b"  he"), " he");
        assert_eq!(decoder.text(b"\xe6he"), "\u{fffd}he");
    }

    #[test]
    fn word_pieces() {
        let decoder = Decoder::WordPieces { cleanup: true };
        let text: Vec<u8> = ["so", "##me", "words", ",", "here", "."]
            .into_iter()
            .flat_map(|token| decoder.bytes(token))
            .collect();
        assert_eq!(text, b" some words , here .");
        assert_eq!(decoder.text(&text), "some words, here.");
        let plain = Decoder::WordPieces { cleanup: false };
        assert_eq!(plain.text(&text), "some words , here .");
    }
}
