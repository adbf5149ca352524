//! The words of a text, and the tokens that stand for each.
//!
//! Words are found by the boundaries of Unicode Standard Annex 29 ("Unicode Text Segmentation", word boundaries):
//!
//! - letters and digits that belong together are one word; an apostrophe, or a full stop between digits, inside a word stays in it (`don't`,
//!   `3.14`), and so does an underscore;
//! - each punctuation mark and symbol is a word of its own, and so is each emoji with all its modifiers;
//! - each ideograph is a word of its own, as are Hiragana letters, and letters of scripts that write no spaces
//!   (Thai, Lao): telling those words apart needs a dictionary;
//! - white space and control characters are no words;
//! - spans follow the text's logical order, whichever way a script runs.
//!
//! Tokens need not respect any of this. A token that reaches into several words (`."`) cannot be divided, so those
//! words become one. A word that no token stands for is left out.
//!
//! ```
//! use lookback_trace::Words;
//!
//! // "I don't." in five tokens: `I`, ` don`, `'`, `t`, `.`
//! let spans = [(0, 1), (1, 5), (5, 6), (6, 7), (7, 8)];
//! let words = Words::new("I don't.", &spans);
//! let texts: Vec<&str> = words.iter().map(|w| w.text.as_str()).collect();
//! assert_eq!(texts, ["I", "don't", "."]);
//! assert_eq!(words.get(1).unwrap().tokens, 1..4);
//! assert_eq!(words.of_token(3), Some(1));
//! ```

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// The words of a text in order, each with its tokens. No two share a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    words: Vec<Word>,
}

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word as the text writes it, without white space around it.
    pub text: String,
    /// Where it stands, in UTF-8 bytes of the text.
    pub span: Range<usize>,
    /// The tokens that stand for it (at least one), as indices into the trace's tokens.
    pub tokens: Range<usize>,
}

impl Words {
    /// Finds the words of a text whose tokens have these spans (see [`Meta::spans`](crate::Meta::spans)).
    ///
    /// Spans that reach beyond the text stand for no word there.
    #[must_use]
    pub fn new(text: &str, spans: &[(usize, usize)]) -> Self {
        let segments = segments(text);
        let mut groups: Vec<Group> = Vec::new();
        for (token, &(start, end)) in spans.iter().enumerate() {
            // The segments that the token's span meets: those not wholly before it, up to the first wholly after.
            let first = segments.partition_point(|s| s.end <= start);
            let last = segments.partition_point(|s| s.start < end);
            if start >= end || first >= last {
                continue;
            }
            match groups.last_mut() {
                Some(group) if first < group.segments.end => {
                    group.segments.end = group.segments.end.max(last);
                    group.tokens.end = token + 1;
                }
                _ => groups.push(Group {
                    segments: first..last,
                    tokens: token..token + 1,
                }),
            }
        }
        let word = |group: Group| {
            let span = segments[group.segments.start].start..segments[group.segments.end - 1].end;
            let (text, tokens) = (text[span.clone()].to_owned(), group.tokens);
            Word { text, span, tokens }
        };
        Self {
            words: groups.into_iter().map(word).collect(),
        }
    }

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
        let found = self.words.get(word)?;
        found.tokens.contains(&token).then_some(word)
    }
}

impl<'a> IntoIterator for &'a Words {
    type Item = &'a Word;
    type IntoIter = std::slice::Iter<'a, Word>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Neighbouring segments that tokens hold together, and those tokens.
struct Group {
    segments: Range<usize>,
    tokens: Range<usize>,
}

/// The text's words before its tokens are looked at, as ranges of bytes.
fn segments(text: &str) -> Vec<Range<usize>> {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    text.split_word_bound_indices()
        .filter(|(_, segment)| !segment.chars().all(blank))
        .map(|(at, segment)| {
            // A mark that follows a space is in one segment with it.
            let start = at + segment.len() - segment.trim_start().len();
            start..at + segment.trim_end().len()
        })
        .collect()
}
