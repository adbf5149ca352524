//! Text to token ids with their places in the text, and back.

mod encoding;
mod error;
mod stream;

pub use encoding::{Encoding, Prefix};
pub use error::Error;
pub use stream::StreamDecoder;

/// A checkpoint's tokenizer.
pub struct Tokenizer {}

impl Tokenizer {
    /// Token ids of `text`, with their places in it, after the tokens of `prefix`.
    ///
    /// Special tokens spelt out in the text are recognised.
    ///
    /// # Errors
    /// [`Error::NoBos`] where the prefix is [`Prefix::Bos`] and the tokenizer has none.
    pub fn encode(&self, _text: &str, _prefix: &Prefix) -> Result<Encoding, Error> {
        unimplemented!()
    }

    /// The text that `ids` stand for; special tokens are left out where `skip_special`.
    pub fn decode(&self, _ids: &[u32], _skip_special: bool) -> String {
        unimplemented!()
    }

    /// A decoder that takes one token at a time.
    pub fn stream(&self, _skip_special: bool) -> StreamDecoder<'_> {
        unimplemented!()
    }

    /// The text of one token, for display: bytes that are no whole character become U+FFFD.
    pub fn token_text(&self, _id: u32) -> Option<String> {
        unimplemented!()
    }

    /// The id of a token given by its text, for example `<|im_end|>`.
    pub fn token_id(&self, _token: &str) -> Option<u32> {
        unimplemented!()
    }

    /// The token that begins a sequence, if there is one.
    pub fn bos(&self) -> Option<u32> {
        unimplemented!()
    }

    /// The token that ends a sequence, if there is one.
    pub fn eos(&self) -> Option<u32> {
        unimplemented!()
    }

    /// Whether the tokenizer itself puts [`Tokenizer::bos`] before every text.
    pub fn adds_bos(&self) -> bool {
        unimplemented!()
    }

    /// What `Prefix::Declared` stands for: the text declared for the model, if any.
    pub fn declared_prefix(&self) -> Option<&str> {
        unimplemented!()
    }
}
