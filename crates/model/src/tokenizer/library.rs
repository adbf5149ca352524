//! Tokenizers that the `tokenizers` library runs.

use tokenizers::{EncodeInput, Tokenizer};

use super::Error;
use super::encoding::Piece;

/// A tokenizer of the library, reduced to cutting text into tokens: what it would put around
/// a text is known to [`super::Specials`].
pub(super) struct Library {
    tokenizer: Box<Tokenizer>,
}

impl Library {
    pub(super) fn new(tokenizer: Tokenizer) -> Self {
        Self {
            tokenizer: Box::new(tokenizer),
        }
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<Piece>, Error> {
        let encoding = self
            .tokenizer
            .encode(EncodeInput::Single(text.into()), false)
            .map_err(|error| Error::Encode {
                detail: error.to_string(),
            })?;
        let pieces = encoding
            .get_ids()
            .iter()
            .zip(encoding.get_tokens())
            .zip(encoding.get_offsets())
            .map(|((&id, token), &(start, end))| {
                // A `▁` that no space of the text stands behind was put there.
                let added = token == "▁"
                    && text.get(start..end) != Some(" ")
                    && text.get(start..end) != Some("▁");
                let end = if added { start } else { end };
                Piece { id, start, end }
            });
        Ok(pieces.collect())
    }

    /// A token's text, and whether it is special.
    pub(super) fn token(&self, id: u32) -> Option<(String, bool)> {
        let text = self.tokenizer.id_to_token(id)?;
        let added = self.tokenizer.get_added_vocabulary();
        let special = added
            .get_added_tokens_decoder()
            .get(&id)
            .is_some_and(|token| token.special);
        Some((text, special))
    }

    pub(super) fn token_id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }
}
