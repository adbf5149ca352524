//! Decoding token by token.

use super::Tokenizer;

/// Turns tokens into text one at a time, holding back bytes until they are whole characters.
pub struct StreamDecoder<'a> {
    tokenizer: &'a Tokenizer,
}

impl StreamDecoder<'_> {
    /// The text that `id` completes; empty while a character is still in parts.
    pub fn push(&mut self, _id: u32) -> String {
        let _ = self.tokenizer;
        unimplemented!()
    }

    /// What is left at the end: bytes that never became a character, as U+FFFD.
    pub fn finish(self) -> String {
        unimplemented!()
    }
}
