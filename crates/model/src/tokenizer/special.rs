//! Special tokens spelt out in a text.

use std::collections::HashMap;

/// Finds special tokens in a text, the longest at each place. A space in a token stands for the `▁` that SentencePiece
/// makes of it as well.
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
            let text = text.replace('▁', " ");
            if text.starts_with(' ') {
                let first = "▁".as_bytes()[0];
                by_first.entry(first).or_default().push((text.clone(), id));
            }
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
            .find_map(|(text, id)| Some((*id, length_of(text, bytes)?)))
    }
}

/// How many bytes spell `text` at the beginning of `bytes`.
fn length_of(text: &str, bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    for byte in text.bytes() {
        rest = match byte {
            b' ' => rest
                .strip_prefix(b" ")
                .or_else(|| rest.strip_prefix("▁".as_bytes()))?,
            byte => rest.strip_prefix(&[byte])?,
        };
    }
    Some(bytes.len() - rest.len())
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

    #[test]
    fn a_space_of_a_token_is_found_in_either_form() {
        let special = |start, end| Part::Special { id: 1, start, end };
        for spelt in ["  ", "▁▁"] {
            let tokens = SpecialTokens::new([(spelt.into(), 1)]);
            assert_eq!(tokens.split("▁ "), [special(0, 4)]);
            assert_eq!(tokens.split("  ▁▁"), [special(0, 2), special(2, 8)]);
            assert_eq!(tokens.split("▁a"), [Part::Text { start: 0, end: 4 }]);
        }
    }
}
