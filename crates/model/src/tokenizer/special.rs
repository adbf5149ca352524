//! Special tokens spelt out in a text.

use std::collections::HashMap;

/// Finds special tokens in a text, the longest at each place.
#[derive(Debug, Default)]
pub(super) struct SpecialTokens {
    /// By first byte, the longest first.
    by_first: HashMap<u8, Vec<(String, u32)>>,
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Bytes [start, end) of ordinary text, at least one.
    Text { start: usize, end: usize },
    /// A special token and the bytes that spell it.
    Special { id: u32, start: usize, end: usize },
}

impl SpecialTokens {
    pub(super) fn new(tokens: impl IntoIterator<Item = (String, u32)>) -> Self {
        let mut by_first: HashMap<u8, Vec<(String, u32)>> = HashMap::new();
        for (text, id) in tokens {
            if let Some(&first) = text.as_bytes().first() {
                by_first.entry(first).or_default().push((text, id));
            }
        }
        for tokens in by_first.values_mut() {
            tokens.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        }
        Self { by_first }
    }

    /// The parts of `text` in order, which together are all of it.
    pub(super) fn split(&self, text: &str) -> Vec<Part> {
        let bytes = text.as_bytes();
        let mut parts = Vec::new();
        let (mut start, mut at) = (0, 0);
        while at < bytes.len() {
            let Some((id, length)) = self.longest_at(&bytes[at..]) else {
                at += 1;
                continue;
            };
            if start < at {
                parts.push(Part::Text { start, end: at });
            }
            let end = at + length;
            parts.push(Part::Special { id, start: at, end });
            (start, at) = (end, end);
        }
        if start < bytes.len() {
            parts.push(Part::Text {
                start,
                end: bytes.len(),
            });
        }
        parts
    }

    /// The longest token that `bytes` begin with, and its length.
    fn longest_at(&self, bytes: &[u8]) -> Option<(u32, usize)> {
        self.by_first
            .get(bytes.first()?)?
            .iter()
            .find(|(text, _)| bytes.starts_with(text.as_bytes()))
            .map(|(text, id)| (*id, text.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_token_wins_and_nothing_is_lost() {
        let tokens = SpecialTokens::new([("<s>".into(), 1), ("<s>>".into(), 2), ("日".into(), 3)]);
        let parts = tokens.split("a<s>>日<s>é");
        let special = |id, start, end| Part::Special { id, start, end };
        let text = |start, end| Part::Text { start, end };
        assert_eq!(
            parts,
            [
                text(0, 1),
                special(2, 1, 5),
                special(3, 5, 8),
                special(1, 8, 11),
                text(11, 13)
            ]
        );
        assert!(tokens.split("").is_empty());
    }
}
