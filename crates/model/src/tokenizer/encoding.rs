//! What encoding a text gives.

/// Tokens of a text and their places in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Encoding {
    /// Token ids: the prefix's, the text's, and the suffix's.
    pub ids: Vec<u32>,
    /// For each token the UTF-8 bytes [start, end) of `text` that it stands for, widened to
    /// whole characters: every token of a character made of several has that character's span.
    /// A token's span includes the space that it begins with. Empty for prefix and suffix tokens, and
    /// for a token that the tokenizer put before the text of its own accord (SentencePiece's `▁`).
    pub spans: Vec<(usize, usize)>,
    /// How many tokens come from the prefix.
    pub prefix_tokens: usize,
    /// Whether the text itself began with the prefix's tokens, so that nothing was put before it.
    pub prefix_was_in_text: bool,
    /// How many tokens follow the text because the model was trained so (BERT's `[SEP]`).
    pub suffix_tokens: usize,
    /// The text, without the prefix and the suffix.
    pub text: String,
}

impl Encoding {
    /// The text's own tokens, as indices of `ids`.
    #[must_use]
    pub fn text_tokens(&self) -> std::ops::Range<usize> {
        let end = self.ids.len() - self.suffix_tokens.min(self.ids.len());
        self.prefix_tokens.min(end)..end
    }
}

/// The tokens before the text. They decide where the sink is: with none, the first word becomes the sink.
///
/// Prefix and text are encoded apart, so that no token belongs to both. Whatever the prefix, a model that was
/// trained with tokens after it gets those too, except with [`Prefix::None`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Prefix {
    /// Nothing, and nothing after the text either.
    None,
    /// The tokenizer's beginning-of-sequence token.
    Bos,
    /// This text, which may spell out special tokens.
    Text(String),
    /// What is declared for the model (see [`super::Tokenizer::declared_prefix`]), else what its tokenizer
    /// puts before a text, else the bos token, else nothing.
    #[default]
    Declared,
}

/// A token and the bytes of the text that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) id: u32,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Piece {
    /// The span widened to whole characters of `text`; empty ones stay empty.
    pub(super) fn whole_characters(self, text: &str) -> (usize, usize) {
        let (mut start, mut end) = (self.start.min(text.len()), self.end.min(text.len()));
        if start >= end {
            return (start, start);
        }
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        (start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_widened_to_whole_characters() {
        let text = "a🙂b";
        let widened = |start, end| Piece { id: 0, start, end }.whole_characters(text);
        assert_eq!(widened(0, 1), (0, 1));
        assert_eq!(widened(1, 3), (1, 5));
        assert_eq!(widened(3, 6), (1, 6));
        assert_eq!(widened(2, 3), (1, 5));
        assert_eq!(widened(1, 1), (1, 1));
        assert_eq!(widened(5, 99), (5, 6));
        assert_eq!(widened(99, 99), (6, 6));
    }
}
