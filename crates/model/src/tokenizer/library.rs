//! Tokenizers that the `tokenizers` library runs.

use std::sync::Arc;

use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::{
    Model as _, ModelWrapper, OffsetReferential, OffsetType, PreTokenizedString, Tokenizer,
};

use super::Error;
use super::bytes::character_of;
use super::clock::Clock;
use super::decoder::Decoder;
use super::encoding::Piece;
use super::words::{Words, failed};

/// A tokenizer of the library, reduced to cutting text into tokens: what it would put around
/// a text is known to [`super::Specials`].
pub(super) struct Library {
    tokenizer: Arc<Tokenizer>,
    words: Words,
    decoder: Decoder,
    /// Bytes that a byte-level vocabulary has no token for. The library would leave them out
    /// without a word.
    missing: Vec<u8>,
    rest: Rest,
}

/// The longest word, in bytes, that unigram takes apart on the caller's thread. At each character it copies every piece that begins
/// there, which with a hostile vocabulary is half the square of the word's length.
const LONG_WORD: usize = 256;

/// To whom belongs what no token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// There is none: such a text is refused.
    None,
    /// To the token before it: normalisation took it.
    Before,
    /// From its first space on to the token after it: words are cut at spaces, which are left out.
    Spaces,
}

impl Rest {
    fn of(tokenizer: &Tokenizer) -> Self {
        let steps = match tokenizer.get_pre_tokenizer() {
            None => &[],
            Some(PreTokenizerWrapper::Sequence(sequence)) => sequence.as_ref(),
            Some(step) => std::slice::from_ref(step),
        };
        let leaves_spaces_out = |step: &PreTokenizerWrapper| {
            matches!(
                step,
                PreTokenizerWrapper::BertPreTokenizer(_) | PreTokenizerWrapper::WhitespaceSplit(_)
            )
        };
        if steps.iter().any(leaves_spaces_out) {
            Rest::Spaces
        } else if tokenizer.get_normalizer().is_some() {
            Rest::Before
        } else {
            Rest::None
        }
    }
}

impl Library {
    pub(super) fn new(tokenizer: Tokenizer, decoder: Decoder) -> Result<Self, Error> {
        let has = |byte| {
            tokenizer
                .token_to_id(&character_of(byte).to_string())
                .is_some()
        };
        let missing = match decoder {
            Decoder::ByteLevel => (0..=u8::MAX).filter(|&byte| !has(byte)).collect(),
            Decoder::Spaces { .. } | Decoder::WordPieces { .. } => Vec::new(),
        };
        Ok(Self {
            rest: Rest::of(&tokenizer),
            words: Words::new(tokenizer.get_pre_tokenizer())?,
            tokenizer: Arc::new(tokenizer),
            decoder,
            missing,
        })
    }

    /// Refuses a text that has no tokens for all of it.
    fn check_bytes(&self, text: &str) -> Result<(), Error> {
        let lost = text.bytes().position(|byte| self.missing.contains(&byte));
        match lost {
            None => Ok(()),
            Some(at) => Err(Error::Encode {
                detail: format!(
                    "its vocabulary has nothing for the byte {:#04x} at {at}; leave that character out",
                    text.as_bytes()[at]
                ),
            }),
        }
    }

    /// The library's steps, one after the other, so that each can be stopped.
    fn run(&self, text: &str, clock: &Clock<'_>) -> Result<tokenizers::Encoding, Error> {
        let tokenizer = &self.tokenizer;
        let added = tokenizer.get_added_vocabulary();
        let mut parts = added.extract_and_normalize(tokenizer.get_normalizer(), text);
        self.words.cut(&mut parts, clock)?;
        self.take_apart(parts, clock)?
            .into_encoding(None, 0, OffsetType::Byte)
            .map_err(failed)
    }

    /// The words of a text as tokens. Where a single word may take long, on a thread that can be left to itself.
    fn take_apart(
        &self,
        mut words: PreTokenizedString,
        clock: &Clock<'_>,
    ) -> Result<PreTokenizedString, Error> {
        let may_stall = matches!(self.tokenizer.get_model(), ModelWrapper::Unigram(_))
            && words
                .get_splits(OffsetReferential::Normalized, OffsetType::Byte)
                .iter()
                .any(|(word, _, _)| word.len() > LONG_WORD);
        if may_stall {
            let tokenizer = Arc::clone(&self.tokenizer);
            return clock.on_thread(move |waiting| {
                tokens_of(&tokenizer, &mut words, || waiting.check())?;
                Ok(words)
            });
        }
        tokens_of(&self.tokenizer, &mut words, || clock.check())?;
        Ok(words)
    }

    pub(super) fn encode(&self, text: &str, clock: &Clock<'_>) -> Result<Vec<Piece>, Error> {
        self.check_bytes(text)?;
        let encoding = self.run(text, clock)?;
        let offsets = encoding.get_offsets();
        let piece = |(index, (&id, token)): (usize, (&u32, &String))| {
            let (start, end) = offsets[index];
            // The space that is put before a text is said to stand for its first character,
            // which the next token stands for.
            let next = offsets.get(index + 1);
            let added =
                self.decoder.space() == Some(token) && next.is_some_and(|next| next.0 == start);
            let end = if added { start } else { end };
            Piece { id, start, end }
        };
        let tokens = encoding.get_ids().iter().zip(encoding.get_tokens());
        let mut pieces: Vec<Piece> = tokens.enumerate().map(piece).collect();
        match self.rest {
            Rest::None => check_whole(&pieces, text)?,
            Rest::Before => close_gaps(&mut pieces, text.len()),
            Rest::Spaces => share_gaps(&mut pieces, text),
        }
        Ok(pieces)
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

/// Takes each word apart, with a look at the clock before it.
fn tokens_of(
    tokenizer: &Tokenizer,
    words: &mut PreTokenizedString,
    check: impl Fn() -> Result<(), Error>,
) -> Result<(), Error> {
    let tokenized = words.tokenize(|word| {
        check()?;
        tokenizer.get_model().tokenize(word.get())
    });
    tokenized.map_err(failed)
}

/// Refuses to give tokens that leave out a part of the text.
fn check_whole(pieces: &[Piece], text: &str) -> Result<(), Error> {
    let mut end = 0;
    for piece in pieces {
        if piece.start > end {
            break;
        }
        end = end.max(piece.end);
    }
    if end == text.len() {
        return Ok(());
    }
    Err(Error::Encode {
        detail: format!("it has no token for what stands after byte {end}"),
    })
}

/// Lets the spaces before a word belong to it, as they do in other vocabularies, and those at the end of the text to
/// the last one. What normalisation took before them, such as an accent, belongs to the token before it.
fn share_gaps(pieces: &mut [Piece], text: &str) {
    let mut end = 0;
    let mut at = 0;
    while at < pieces.len() {
        let (start, next_end) = (pieces[at].start, pieces[at].end);
        let same = pieces[at..]
            .iter()
            .take_while(|piece| (piece.start, piece.end) == (start, next_end));
        let next = at + same.count();
        if let Some(gap) = text.get(end..start) {
            let spaces = gap.find(char::is_whitespace).unwrap_or(gap.len());
            // Before the first token there is none to give it to.
            let split = if at == 0 { 0 } else { end + spaces };
            extend(&mut pieces[..at], split);
            pieces[at..next]
                .iter_mut()
                .for_each(|piece| piece.start = split);
        }
        end = end.max(next_end);
        at = next;
    }
    extend(pieces, text.len());
}

/// Lets the last token, and those that share its characters, reach to `end`.
fn extend(pieces: &mut [Piece], end: usize) {
    let Some(&last) = pieces.last() else { return };
    let share = |piece: &&mut Piece| (piece.start, piece.end) == (last.start, last.end);
    for piece in pieces.iter_mut().rev().take_while(share) {
        piece.end = piece.end.max(end);
    }
}

/// Lets what normalisation took into the token before it, such as the accent that became part
/// of a letter, belong to that token, and to those that share its characters.
fn close_gaps(pieces: &mut [Piece], text_end: usize) {
    let mut next = text_end;
    let mut at = pieces.len();
    while at > 0 {
        let (start, end) = (pieces[at - 1].start, pieces[at - 1].end);
        let first = pieces[..at]
            .iter()
            .rposition(|piece| (piece.start, piece.end) != (start, end))
            .map_or(0, |before| before + 1);
        if start < end {
            for piece in &mut pieces[first..at] {
                piece.end = piece.end.max(next);
            }
            next = start;
        }
        at = first;
    }
}
