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

    /// The parts of `text` in order, which together are all of it. `check` is asked wherever a token may begin, and ends the
    /// search where it fails.
    pub(super) fn split<E>(
        &self,
        text: &str,
        check: impl Fn() -> Result<(), E>,
    ) -> Result<Vec<Part>, E> {
        let bytes = text.as_bytes();
        let mut parts = Vec::new();
        let (mut start, mut at) = (0, 0);
        while at < bytes.len() {
            let Some(tokens) = self.by_first.get(&bytes[at]) else {
                at += 1;
                continue;
            };
            check()?;
            let Some((id, length)) = longest_of(tokens, &bytes[at..]) else {
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
        Ok(parts)
    }
}

/// The first of `tokens`, the longest first, that `bytes` begin with, and its length.
fn longest_of(tokens: &[(String, u32)], bytes: &[u8]) -> Option<(u32, usize)> {
    tokens
        .iter()
        .find_map(|(text, id)| Some((*id, length_of(text, bytes)?)))
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

    fn split(tokens: &SpecialTokens, text: &str) -> Vec<Part> {
        tokens.split(text, || Ok::<(), ()>(())).unwrap()
    }

    #[test]
    fn the_search_ends_where_it_is_told_to() {
        let tokens = SpecialTokens::new([("<s>".into(), 1)]);
        assert_eq!(
            tokens.split("aa", || Err(1)).unwrap().len(),
            1,
            "no token may begin there"
        );
        assert_eq!(tokens.split("a<a", || Err(1)), Err(1));
    }

    #[test]
    fn the_longest_token_wins_and_nothing_is_lost() {
        let tokens = SpecialTokens::new([("<s>".into(), 1), ("<s>>".into(), 2), ("日".into(), 3)]);
        let parts = split(&tokens, "a<s>>日<s>é");
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
        assert!(split(&tokens, "").is_empty());
    }

    #[test]
    fn a_space_of_a_token_is_found_in_either_form() {
        let special = |start, end| Part::Special { id: 1, start, end };
        for spelt in ["  ", "▁▁"] {
            let tokens = SpecialTokens::new([(spelt.into(), 1)]);
            assert_eq!(split(&tokens, "▁ "), [special(0, 4)]);
            assert_eq!(split(&tokens, "  ▁▁"), [special(0, 2), special(2, 8)]);
            assert_eq!(split(&tokens, "▁a"), [Part::Text { start: 0, end: 4 }]);
        }
    }
}
