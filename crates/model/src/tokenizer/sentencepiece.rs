//! Llama's SentencePiece (Kudo & Richardson 2018, <https://arxiv.org/abs/1808.06226>): BPE whose
//! merges are ranked by the score of the piece they make, with bytes for what has no piece.
//!
//! Unlike byte-level BPE it merges across words: a text is one sequence of characters, spaces
//! written as `▁`. Neighbours are merged in order of the resulting piece's score, the leftmost
//! first among equals, until no two make a piece.

use std::collections::{BinaryHeap, HashMap};

use super::Error;
use super::clock::Clock;
use super::encoding::Piece;
use super::special::{Part, SpecialTokens};

/// How many bytes are looked up between two looks at the clock: some tenths of a millisecond.
const BYTES_A_LOOK: usize = 1 << 14;

/// What a piece of the vocabulary is for, by GGUF's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

impl PieceKind {
    pub(super) fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(PieceKind::Normal),
            2 => Some(PieceKind::Unknown),
            3 => Some(PieceKind::Control),
            4 => Some(PieceKind::UserDefined),
            5 => Some(PieceKind::Unused),
            6 => Some(PieceKind::Byte),
            _ => None,
        }
    }
}

/// An entry of the vocabulary; its index is its id.
#[derive(Debug, Clone)]
pub(super) struct VocabularyEntry {
    pub(super) text: String,
    pub(super) score: f32,
    pub(super) kind: PieceKind,
}

/// The model: pieces with scores.
#[derive(Debug)]
pub(super) struct SentencePiece {
    entries: Vec<VocabularyEntry>,
    /// Pieces that merging may make.
    pieces: HashMap<String, u32>,
    /// Length in bytes of the longest of them.
    longest: usize,
    /// The token of each byte.
    bytes: [Option<u32>; 256],
    /// Stands for characters that have neither a piece nor tokens for their bytes.
    unknown: u32,
    special: SpecialTokens,
    /// Whether a text begins with a space that it does not have.
    adds_space: bool,
}

impl SentencePiece {
    /// # Errors
    /// Where neither bytes nor an unknown token stand for what has no piece.
    pub(super) fn new(entries: Vec<VocabularyEntry>, adds_space: bool) -> Result<Self, Error> {
        let mut pieces = HashMap::with_capacity(entries.len());
        let mut bytes = [None; 256];
        let mut special = Vec::new();
        for (id, entry) in (0..).zip(&entries) {
            match entry.kind {
                PieceKind::Normal | PieceKind::Unused => {
                    pieces.insert(entry.text.clone(), id);
                }
                PieceKind::Byte => {
                    if let Some(byte) = super::decoder::byte_token(&entry.text) {
                        bytes[usize::from(byte)] = Some(id);
                    }
                }
                PieceKind::Unknown | PieceKind::Control | PieceKind::UserDefined => {
                    special.push((entry.text.clone(), id));
                }
            }
        }
        let unknown = entries
            .iter()
            .position(|entry| entry.kind == PieceKind::Unknown);
        if unknown.is_none() && bytes.contains(&None) {
            return Err(Error::Vocabulary {
                detail: "it has no unknown token, and not one for each byte".to_owned(),
            });
        }
        Ok(Self {
            longest: pieces.keys().map(String::len).max().unwrap_or(0),
            entries,
            pieces,
            bytes,
            unknown: unknown.unwrap_or_default() as u32,
            special: SpecialTokens::new(special),
            adds_space,
        })
    }

    /// A token's text, and whether it is special.
    pub(super) fn token(&self, id: u32) -> Option<(String, bool)> {
        let entry = self.entries.get(id as usize)?;
        let special = matches!(entry.kind, PieceKind::Control | PieceKind::Unknown);
        Some((entry.text.clone(), special))
    }

    pub(super) fn token_id(&self, token: &str) -> Option<u32> {
        let by_text = || self.entries.iter().position(|entry| entry.text == token);
        self.pieces
            .get(token)
            .copied()
            .or_else(|| by_text().map(|id| id as u32))
    }

    /// Tokens of a text that may spell out special ones. A space is put before the text, and
    /// before what follows a special token.
    ///
    /// For any one vocabulary the time grows with the text's length and its logarithm. But each merge looks a piece up, of up to the
    /// longest's length, and each place may begin any special token: a hostile vocabulary has megabytes of either, so the clock
    /// is looked at.
    pub(super) fn encode(&self, text: &str, clock: &Clock<'_>) -> Result<Vec<Piece>, Error> {
        let mut tokens = Vec::new();
        for part in self.special.split(text, || clock.check())? {
            match part {
                Part::Special { id, start, end } => tokens.push(Piece { id, start, end }),
                Part::Text { start, end } => {
                    let symbols = Symbols::new(self, &text[start..end], start, clock)?;
                    tokens.extend(symbols.tokens(clock)?);
                }
            }
        }
        Ok(tokens)
    }
}

impl SentencePiece {
    /// Tokens of a character that has no piece: its bytes, or else the unknown token, once for
    /// any number of such characters in a row.
    fn without_piece(&self, text: &str, start: usize, end: usize, tokens: &mut Vec<Piece>) {
        let bytes = text.bytes().map(|byte| self.bytes[usize::from(byte)]);
        if let Some(ids) = bytes.collect::<Option<Vec<u32>>>() {
            tokens.extend(ids.into_iter().map(|id| Piece { id, start, end }));
            return;
        }
        let id = self.unknown;
        match tokens.last_mut() {
            Some(last) if last.id == id && last.end == start => last.end = end,
            _ => tokens.push(Piece { id, start, end }),
        }
    }
}

/// A text being merged.
struct Symbols<'a> {
    model: &'a SentencePiece,
    /// The text with `▁` for each space.
    escaped: String,
    symbols: Vec<Symbol>,
    candidates: BinaryHeap<Candidate>,
    /// Bytes and pieces that were looked up since the clock was looked at.
    looked_up: usize,
}

/// A stretch of the escaped text, linked to its neighbours.
#[derive(Debug, Clone, Copy)]
struct Symbol {
    /// Bytes of the escaped text; empty once it has been merged into its left neighbour.
    start: usize,
    end: usize,
    /// Where it stands in the original text.
    source: usize,
    source_end: usize,
    previous: Option<usize>,
    next: Option<usize>,
}

/// Two neighbours that would make a piece.
#[derive(Debug, PartialEq)]
struct Candidate {
    score: f32,
    left: usize,
    right: usize,
    /// Length of the piece, by which a candidate is seen to be out of date.
    length: usize,
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.score
            .total_cmp(&other.score)
            .then_with(|| other.left.cmp(&self.left))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<'a> Symbols<'a> {
    /// One symbol a character of `text`, which begins at byte `offset` of the whole text.
    fn new(
        model: &'a SentencePiece,
        text: &str,
        offset: usize,
        clock: &Clock<'_>,
    ) -> Result<Self, Error> {
        const SPACE: char = '▁';
        let mut this = Self {
            model,
            escaped: String::with_capacity(text.len() + text.len() / 4),
            symbols: Vec::new(),
            candidates: BinaryHeap::new(),
            looked_up: BYTES_A_LOOK,
        };
        if model.adds_space {
            this.push(SPACE, offset, offset);
        }
        for (at, character) in text.char_indices() {
            let shown = if character == ' ' { SPACE } else { character };
            let source = offset + at;
            this.push(shown, source, source + character.len_utf8());
        }
        for left in 0..this.symbols.len().saturating_sub(1) {
            this.consider(left, left + 1);
            this.look(clock)?;
        }
        Ok(this)
    }

    fn push(&mut self, shown: char, source: usize, source_end: usize) {
        let index = self.symbols.len();
        if let Some(last) = self.symbols.last_mut() {
            last.next = Some(index);
        }
        let start = self.escaped.len();
        self.escaped.push(shown);
        self.symbols.push(Symbol {
            start,
            end: self.escaped.len(),
            source,
            source_end,
            previous: index.checked_sub(1),
            next: None,
        });
    }

    /// Notes two neighbours if they make a piece.
    fn consider(&mut self, left: usize, right: usize) {
        let (start, end) = (self.symbols[left].start, self.symbols[right].end);
        self.looked_up += 1;
        if end - start > self.model.longest {
            return;
        }
        self.looked_up += end - start;
        if let Some(&id) = self.model.pieces.get(&self.escaped[start..end]) {
            self.candidates.push(Candidate {
                score: self.model.entries[id as usize].score,
                left,
                right,
                length: end - start,
            });
        }
    }

    /// Looks at the clock now and then.
    fn look(&mut self, clock: &Clock<'_>) -> Result<(), Error> {
        if self.looked_up >= BYTES_A_LOOK {
            self.looked_up = 0;
            clock.check()?;
        }
        Ok(())
    }

    fn merge_all(&mut self, clock: &Clock<'_>) -> Result<(), Error> {
        while let Some(best) = self.candidates.pop() {
            self.look(clock)?;
            let (left, right) = (self.symbols[best.left], self.symbols[best.right]);
            let gone = left.start == left.end || right.start == right.end;
            if gone || right.end - left.start != best.length {
                continue;
            }
            let merged = &mut self.symbols[best.left];
            merged.end = right.end;
            merged.source_end = right.source_end;
            merged.next = right.next;
            self.symbols[best.right].end = right.start;
            if let Some(next) = right.next {
                self.symbols[next].previous = Some(best.left);
                self.consider(best.left, next);
            }
            if let Some(previous) = left.previous {
                self.consider(previous, best.left);
            }
        }
        Ok(())
    }

    /// Merges, and gives the tokens of the symbols that are left.
    fn tokens(mut self, clock: &Clock<'_>) -> Result<Vec<Piece>, Error> {
        self.merge_all(clock)?;
        let mut tokens = Vec::new();
        let mut at = (!self.symbols.is_empty()).then_some(0);
        while let Some(index) = at {
            let symbol = self.symbols[index];
            at = symbol.next;
            let text = &self.escaped[symbol.start..symbol.end];
            let (start, end) = (symbol.source, symbol.source_end);
            if let Some(&id) = self.model.pieces.get(text) {
                tokens.push(Piece { id, start, end });
            } else {
                self.model.without_piece(text, start, end, &mut tokens);
            }
        }
        Ok(tokens)
    }
}
