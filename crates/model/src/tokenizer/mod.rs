//! Text to token ids with their places in the text, and back.
//!
//! A [`Tokenizer`] comes with a checkpoint: from `tokenizer.json`, or from the vocabulary in a
//! GGUF file. Both go through the `tokenizers` library, but for one: Llama's SentencePiece, which
//! GGUF stores as pieces with scores, is merged here by those scores.

mod around;
mod bytes;
mod charsmap;
mod clock;
mod decoder;
mod encoding;
mod error;
mod gguf;
mod json;
mod left_alone;
mod library;
mod pre_tokenizer;
mod sentencepiece;
mod special;
#[cfg(test)]
mod stalling;
mod steps;
mod stream;
#[cfg(test)]
mod tests;
mod vocabulary;
mod words;

pub use encoding::{Encoding, Prefix};
pub use error::Error;
pub(crate) use json::JsonOptions;
pub use stream::StreamDecoder;

use clock::Clock;
use decoder::Decoder;
use encoding::Piece;
use library::Library;
use sentencepiece::SentencePiece;

/// A checkpoint's tokenizer.
pub struct Tokenizer {
    model: Model,
    decoder: Decoder,
    specials: Specials,
    around: Around,
    declared_prefix: Option<String>,
}

/// What turns text into tokens.
enum Model {
    Library(Library),
    SentencePiece(Box<SentencePiece>),
}

/// Tokens with a meaning of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Specials {
    pub(crate) bos: Option<u32>,
    pub(crate) eos: Option<u32>,
    pub(crate) mask: Option<u32>,
    pub(crate) adds_bos: bool,
}

/// The tokens that the tokenizer puts around every text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Around {
    pub(crate) before: Vec<u32>,
    pub(crate) after: Vec<u32>,
}

impl Tokenizer {
    fn new(model: Model, decoder: Decoder, specials: Specials, around: Around) -> Self {
        Self {
            model,
            decoder,
            specials,
            around,
            declared_prefix: None,
        }
    }

    /// Token ids of `text`, with their places in it, after the tokens of `prefix` and before those that the tokenizer puts
    /// after every text.
    ///
    /// Special tokens spelt out in the text are recognised. A text that itself begins with the special tokens of the
    /// prefix has them once: they are its prefix, and [`Encoding::prefix_was_in_text`] says so. One that ends with those
    /// that follow every text has these once, too.
    ///
    /// # Errors
    /// [`Error::NoBos`] where the prefix is [`Prefix::Bos`] and the tokenizer has none;
    /// [`Error::Encode`] where the tokenizer fails; [`Error::Slow`] where it takes some seconds more than real
    /// tokenizers do.
    pub fn encode(&self, text: &str, prefix: &Prefix) -> Result<Encoding, Error> {
        self.encode_cancellable(text, prefix, &|| false)
    }

    /// [`encode`](Self::encode), for whoever may lose interest meanwhile: `cancelled` is asked after every word.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), and [`Error::Cancelled`] once `cancelled` says so.
    pub fn encode_cancellable(
        &self,
        text: &str,
        prefix: &Prefix,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Encoding, Error> {
        let clock = Clock::start(text, cancelled);
        let before = self.prefix_ids(prefix, &clock)?;
        let after: &[u32] = match prefix {
            Prefix::None => &[],
            _ => &self.around.after,
        };
        let mut pieces = self.pieces(text, &clock)?;
        let prefix_was_in_text = self.are_special(&before)
            && pieces.len() >= before.len()
            && before
                .iter()
                .eq(pieces[..before.len()].iter().map(|piece| &piece.id));
        let mut kept = 0..text.len();
        if prefix_was_in_text {
            let spelt_out = pieces.drain(..before.len());
            let ends = spelt_out.map(|piece| piece.whole_characters(text).1);
            kept.start = ends.max().unwrap_or(0);
        }
        let left = pieces.len().saturating_sub(after.len());
        if self.are_special(after)
            && after
                .iter()
                .eq(pieces[left..].iter().map(|piece| &piece.id))
        {
            let spelt_out = pieces.drain(left..);
            let starts = spelt_out.map(|piece| piece.whole_characters(text).0);
            kept.end = starts.min().unwrap_or(kept.end).max(kept.start);
        }
        let within = |at: usize| at.clamp(kept.start, kept.end) - kept.start;
        let mut spans = vec![(0, 0); before.len()];
        spans.extend(pieces.iter().map(|piece| {
            let (start, end) = piece.whole_characters(text);
            (within(start), within(end))
        }));
        let length = kept.len();
        spans.extend(after.iter().map(|_| (length, length)));
        Ok(Encoding {
            prefix_tokens: before.len(),
            suffix_tokens: after.len(),
            ids: before
                .into_iter()
                .chain(pieces.iter().map(|piece| piece.id))
                .chain(after.iter().copied())
                .collect(),
            spans,
            prefix_was_in_text,
            text: text[kept].to_owned(),
        })
    }

    /// Whether there are tokens, and all of them are special ones.
    fn are_special(&self, ids: &[u32]) -> bool {
        !ids.is_empty() && ids.iter().all(|&id| self.is_special(id) == Some(true))
    }

    fn prefix_ids(&self, prefix: &Prefix, clock: &Clock<'_>) -> Result<Vec<u32>, Error> {
        let text = match prefix {
            Prefix::None => return Ok(Vec::new()),
            Prefix::Bos => return Ok(vec![self.specials.bos.ok_or(Error::NoBos)?]),
            Prefix::Text(text) => text,
            Prefix::Declared => match &self.declared_prefix {
                Some(text) => text,
                None if self.around.before.is_empty() => {
                    return Ok(self.specials.bos.into_iter().collect());
                }
                None => return Ok(self.around.before.clone()),
            },
        };
        Ok(self
            .pieces(text, clock)?
            .iter()
            .map(|piece| piece.id)
            .collect())
    }

    fn pieces(&self, text: &str, clock: &Clock<'_>) -> Result<Vec<Piece>, Error> {
        match &self.model {
            Model::Library(library) => library.encode(text, clock),
            Model::SentencePiece(model) => model.encode(text, clock),
        }
    }

    /// The text that a whole sequence stands for; special tokens are left out where
    /// `skip_special`. Bytes that are no character become U+FFFD, and the space that some
    /// tokenizers put before a text is taken off again. To decode what continues a text, use
    /// [`Tokenizer::stream`].
    #[must_use]
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> String {
        let bytes: Vec<u8> = ids
            .iter()
            .filter_map(|&id| self.bytes(id, skip_special))
            .flatten()
            .collect();
        self.decoder.text(&bytes)
    }

    /// The bytes that a token stands for. None where it has none: an unknown id, or a special
    /// token that is to be skipped.
    fn bytes(&self, id: u32, skip_special: bool) -> Option<Vec<u8>> {
        let (text, special) = match &self.model {
            Model::Library(library) => library.token(id)?,
            Model::SentencePiece(model) => model.token(id)?,
        };
        (!(special && skip_special)).then(|| self.decoder.bytes(&text))
    }

    /// Whether a token is a special one; none where there is no such token.
    #[must_use]
    pub fn is_special(&self, id: u32) -> Option<bool> {
        let (_, special) = match &self.model {
            Model::Library(library) => library.token(id)?,
            Model::SentencePiece(model) => model.token(id)?,
        };
        Some(special)
    }

    /// The text of one token, for display: bytes that are no whole character become U+FFFD.
    #[must_use]
    pub fn token_text(&self, id: u32) -> Option<String> {
        let bytes = self.bytes(id, false)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A token as the vocabulary spells it where it is a special one (`<|im_start|>`), else its text as [`Tokenizer::token_text`]
    /// gives it; `[id]` where there is no such token or it has no text.
    #[must_use]
    pub fn printed(&self, id: u32) -> String {
        let text = match &self.model {
            Model::Library(library) => library.token(id),
            Model::SentencePiece(model) => model.token(id),
        };
        let text = match text {
            Some((spelling, true)) => Some(spelling),
            _ => self.token_text(id),
        };
        text.filter(|text| !text.is_empty())
            .unwrap_or_else(|| format!("[{id}]"))
    }

    /// By what text each token of an encoding's prefix is printed.
    #[must_use]
    pub fn prefix_texts(&self, encoding: &Encoding) -> Vec<String> {
        let prefix = encoding.ids.iter().take(encoding.prefix_tokens);
        prefix.map(|&id| self.printed(id)).collect()
    }

    /// By what text each token of an encoding's suffix is printed.
    #[must_use]
    pub fn suffix_texts(&self, encoding: &Encoding) -> Vec<String> {
        let suffix = &encoding.ids[encoding.text_tokens().end..];
        suffix.iter().map(|&id| self.printed(id)).collect()
    }

    /// The id of a token as the vocabulary spells it, for example `<|im_end|>`.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<u32> {
        match &self.model {
            Model::Library(library) => library.token_id(token),
            Model::SentencePiece(model) => model.token_id(token),
        }
    }

    /// The token that begins a sequence, if there is one.
    #[must_use]
    pub fn bos(&self) -> Option<u32> {
        self.specials.bos
    }

    /// The token that ends a sequence, if there is one.
    #[must_use]
    pub fn eos(&self) -> Option<u32> {
        self.specials.eos
    }

    /// The token that stands for a word that is to be guessed, if there is one.
    #[must_use]
    pub fn mask(&self) -> Option<u32> {
        self.specials.mask
    }

    /// Whether the tokenizer itself puts [`Tokenizer::bos`] before every text.
    #[must_use]
    pub fn adds_bos(&self) -> bool {
        self.specials.adds_bos && self.specials.bos.is_some()
    }

    /// The prefix that is declared for this model, if any.
    #[must_use]
    pub fn declared_prefix(&self) -> Option<&str> {
        self.declared_prefix.as_deref()
    }

    /// Declares what [`Prefix::Declared`] stands for: a token of the vocabulary. Where it is none, as in a vocabulary
    /// of another model with a similar name, nothing is declared; it would be spelt out letter by letter.
    pub(crate) fn declare_prefix(&mut self, token: Option<&str>) {
        let is_token = |token: &&str| {
            let clock = Clock::start(token, &|| false);
            matches!(self.pieces(token, &clock), Ok(pieces) if pieces.len() == 1)
        };
        self.declared_prefix = token.filter(is_token).map(str::to_owned);
    }
}
