//! Text to token ids with their places in the text, and back.
//!
//! A [`Tokenizer`] comes with a checkpoint: from `tokenizer.json`, or from the vocabulary in a
//! GGUF file. Byte-level BPE and tokenizer.json go through the `tokenizers` library; Llama's
//! SentencePiece, which GGUF stores as pieces with scores, is merged here by those scores.

mod bytes;
mod decoder;
mod encoding;
mod error;
mod gguf;
mod json;
mod library;
mod pre_tokenizer;
mod sentencepiece;
mod special;
mod steps;
mod stream;
mod words;

pub use encoding::{Encoding, Prefix};
pub use error::Error;
pub(crate) use json::JsonOptions;
pub use stream::StreamDecoder;

use decoder::Decoder;
use encoding::Piece;
use library::Library;
use sentencepiece::SentencePiece;
use words::Clock;

/// A checkpoint's tokenizer.
pub struct Tokenizer {
    model: Model,
    decoder: Decoder,
    specials: Specials,
    declared_prefix: Option<String>,
}

/// What turns text into tokens.
enum Model {
    Library(Library),
    SentencePiece(Box<SentencePiece>),
}

/// The tokens that stand around a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Specials {
    pub(crate) bos: Option<u32>,
    pub(crate) eos: Option<u32>,
    pub(crate) adds_bos: bool,
}

impl Tokenizer {
    fn new(model: Model, decoder: Decoder, specials: Specials) -> Self {
        Self {
            model,
            decoder,
            specials,
            declared_prefix: None,
        }
    }

    /// Token ids of `text`, with their places in it, after the tokens of `prefix`.
    ///
    /// Special tokens spelt out in the text are recognised. A text that itself begins with the special tokens of the
    /// prefix has them once: they are its prefix, and [`Encoding::prefix_was_in_text`] says so.
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
        let mut ids = self.prefix_ids(prefix, &clock)?;
        let prefix_tokens = ids.len();
        let mut pieces = self.pieces(text, &clock)?;
        let found = pieces.iter().take(prefix_tokens).map(|piece| piece.id);
        let prefix_was_in_text = prefix_tokens > 0
            && found.eq(ids.iter().copied())
            && ids.iter().all(|&id| self.is_special(id) == Some(true));
        let mut skipped = 0;
        if prefix_was_in_text {
            let spelt_out = pieces.drain(..prefix_tokens);
            skipped = spelt_out
                .map(|p| p.whole_characters(text).1)
                .max()
                .unwrap_or(0);
        }
        let mut spans = vec![(0, 0); prefix_tokens];
        for piece in pieces {
            ids.push(piece.id);
            let (start, end) = piece.whole_characters(text);
            spans.push((start.saturating_sub(skipped), end.saturating_sub(skipped)));
        }
        Ok(Encoding {
            ids,
            spans,
            prefix_tokens,
            prefix_was_in_text,
            text: text[skipped..].to_owned(),
        })
    }

    fn prefix_ids(&self, prefix: &Prefix, clock: &Clock<'_>) -> Result<Vec<u32>, Error> {
        let text = match prefix {
            Prefix::None => return Ok(Vec::new()),
            Prefix::Bos => return Ok(vec![self.specials.bos.ok_or(Error::NoBos)?]),
            Prefix::Text(text) => text,
            Prefix::Declared => match &self.declared_prefix {
                Some(text) => text,
                None => return Ok(self.specials.bos.into_iter().collect()),
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
            Model::SentencePiece(model) => Ok(model.encode(text)),
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
