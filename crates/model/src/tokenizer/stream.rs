//! Decoding token by token.

use super::Tokenizer;

/// Turns tokens into text one at a time, holding back bytes until they are whole characters.
///
/// It continues a text: a space at its beginning is kept, unlike in [`Tokenizer::decode`].
pub struct StreamDecoder<'a> {
    tokenizer: &'a Tokenizer,
    skip_special: bool,
    /// The beginning of a character, at most three bytes.
    pending: Vec<u8>,
}

impl Tokenizer {
    /// A decoder that takes one token at a time.
    #[must_use]
    pub fn stream(&self, skip_special: bool) -> StreamDecoder<'_> {
        StreamDecoder {
            tokenizer: self,
            skip_special,
            pending: Vec::new(),
        }
    }
}

impl StreamDecoder<'_> {
    /// The text that `id` completes; empty while a character is still in parts. Bytes that
    /// cannot be part of a character become U+FFFD.
    pub fn push(&mut self, id: u32) -> String {
        if let Some(bytes) = self.tokenizer.bytes(id, self.skip_special) {
            self.pending.extend(bytes);
        }
        let whole = self.pending.len() - unfinished(&self.pending);
        let text = String::from_utf8_lossy(&self.pending[..whole]).into_owned();
        self.pending.drain(..whole);
        text
    }

    /// What is left at the end: the beginning of a character that never came, as U+FFFD.
    #[must_use]
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}

/// How many bytes at the end are the beginning of a character that more bytes could complete.
fn unfinished(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(_) => return 0,
            Err(error) => match error.error_len() {
                None => return rest.len() - error.valid_up_to(),
                Some(invalid) => rest = &rest[error.valid_up_to() + invalid..],
            },
        }
    }
}
