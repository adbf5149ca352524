//! The words of a text, and the tokens that stand for each.

use std::ops::Range;

/// The words of a text in order, each with its tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    words: Vec<Word>,
}

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word as the text writes it.
    pub text: String,
    /// Where it stands, in UTF-8 bytes of the text.
    pub span: Range<usize>,
    /// The tokens that stand for it (at least one), as indices into the trace's tokens.
    pub tokens: Range<usize>,
}

impl Words {
    /// How many words there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is no word.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The word at this place, from 0.
    #[must_use]
    pub fn get(&self, word: usize) -> Option<&Word> {
        self.words.get(word)
    }

    /// All words, in the text's order.
    pub fn iter(&self) -> std::slice::Iter<'_, Word> {
        self.words.iter()
    }

    /// Which word a token belongs to; none for the prefix and for white space.
    #[must_use]
    pub fn of_token(&self, token: usize) -> Option<usize> {
        let word = self.words.partition_point(|w| w.tokens.end <= token);
        self.words
            .get(word)
            .filter(|w| w.tokens.contains(&token))
            .map(|_| word)
    }
}
